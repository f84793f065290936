from .configure import load_config as load_config
from .configure import named_pipelines as named_pipelines
from .execute import ItemStatus as ItemStatus
from .execute import make_executor as make_executor
from .execute import map_items as map_items
from .run import plan as plan
from .run import run_pipeline as run_pipeline
from .verify import verify as verify
