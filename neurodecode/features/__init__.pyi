from .align import to_sfreq as to_sfreq
from .align import to_tr as to_tr
from .image import embed_images as embed_images
from .models import load_model as load_model
