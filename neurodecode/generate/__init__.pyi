from .conditions import held_out_uncertainty as held_out_uncertainty
from .loading import load_generator as load_generator
from .multiplicative import MultiplicativeScheduler as MultiplicativeScheduler
from .pipelines import open_pipeline as open_pipeline
from .protocol import Generator as Generator
from .protocol import generate_samples as generate_samples
from .protocol import mean_of_samples as mean_of_samples
from .tiny import TinyDiffusion as TinyDiffusion
