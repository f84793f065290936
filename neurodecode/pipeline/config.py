"""What a pipeline can be told: frozen models that refuse unknown keys."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from neurodecode.errors import ConfigError
from neurodecode.pipeline.config_base import Compute, Labels, Positive, Settings
from neurodecode.pipeline.config_connectome import Connectome
from neurodecode.pipeline.config_meeg import MEEGImages, MEEGSpeech, Retrieving


class Input(Settings):
    """Which recordings of the BIDS folder to take; nothing given means all."""

    subjects: Labels = None
    sessions: Labels = None
    tasks: Labels = None
    runs: Labels = None
    derivatives: str | None = Field(None, description="name of a folder in derivatives/")
    space: str | None = None
    desc: str | None = None
    res: str | None = None


class BOLDInput(Input):
    """Which BOLD runs to take: by default those of fMRIPrep where its derivatives are there."""

    derivatives: str | None = Field(
        "auto", description="name of a folder in derivatives/, 'auto' for fmriprep where it is, null for raw"
    )


class Mask(Settings):
    """A brain mask or region among the derivatives."""

    derivatives: str | None = None
    desc: str | None = "brain"
    label: str | None = None


class Clean(Settings):
    """Denoising of one BOLD run."""

    confounds: str | None = Field("motion24+acompcor6", description="strategy of preprocess.fmri.select_confounds, or null")
    detrend: Literal["linear"] | None = None
    high_pass: Positive | None = 1 / 128
    low_pass: Positive | None = None
    standardise: Literal["zscore", "psc"] | None = "zscore"
    allow_raw: bool = Field(False, description="accept BOLD that did not go through fMRIPrep")


class FMRIResponses(Settings):
    """From a BOLD run to one response per block or trial."""

    method: Literal["auto", "block_average", "lss", "lsa"] = "auto"
    lag: float = Field(5.0, ge=0, description="hemodynamic lag of block averages, s")
    trial_types: Labels = None
    hrf: Literal["glover", "spm"] = "glover"


class Signal(Settings):
    """Cleaning of one M/EEG run."""

    l_freq: Positive | None = 0.1
    h_freq: Positive | Literal["auto"] | None = Field("auto", description="40 Hz, 120 Hz for MEG")
    notch: bool = False
    resample: Positive | None = None
    reference: Literal["average"] | list[str] | None = None
    bad_channels: Literal["interpolate", "drop", "keep"] = "drop"
    find_bad_channels: bool = False


class Epochs(Settings):
    """Windows around events, in s."""

    tmin: float = -0.2
    tmax: float = 0.8
    baseline: tuple[float, float] | None = (-0.2, 0.0)
    trial_types: Labels = None
    reject_peak_to_peak: Positive | None = Field(None, description="V; epochs above are dropped")


class Decode(Settings):
    """The decoder, its split and its test."""

    target: str = "trial_type"
    groups: str = "run"
    task: Literal["classification", "regression"] = "classification"
    estimator: Literal["logistic", "lda", "ridge"] = "logistic"
    C: Positive = 1.0
    n_features: int | None = Field(None, gt=0)
    scale: bool = True
    n_permutations: int = Field(199, ge=0)
    permute_labels: int | None = Field(
        None, ge=0, description="control: seed with which the labels are shuffled within runs first"
    )
    time_resolved: bool = False
    generalise: bool = False
    searchlight_mm: Positive | None = None
    n_permutations_over_time: int = Field(0, ge=0)


class EpochsDecode(Decode):
    """The decoder for epochs: shrinkage discriminant, and its course over time."""

    estimator: Literal["logistic", "lda", "ridge"] = "lda"
    time_resolved: bool = True


class Generator(Settings):
    """A generator whose pictures are shown beside those of the ridge: one that was saved, or one that is trained here."""

    folder: str | None = Field(None, description="folder that TinyDiffusion.save wrote")
    images: str | None = Field(None, description="folder of the data set with images that nobody was shown, to train on")
    training_steps: int = Field(2000, gt=0)
    n_samples: int = Field(8, ge=2, description="samples that are averaged; the first of them is scored alone, too")

    @model_validator(mode="after")
    def _one_source(self) -> Generator:
        if (self.folder is None) == (self.images is None):
            raise ConfigError(f"a generator needs either folder or images, got {self.folder!r} and {self.images!r}")
        return self


class Reconstruct(Settings):
    """Reconstruction of the images that were shown, by ridge, and by a generator beside it."""

    stimulus: str = Field("stimulus", description="column of the events with the id of the image")
    file: str = Field("stim_file", description="column of the events with its file below stimuli/")
    groups: str = Field("run", description="what is held out; 'stimulus' where images come again in several runs")
    n_features: int | None = Field(None, gt=0, description="units kept in each training part, by default all")
    n_permutations: int = Field(999, ge=0, description="random pairings of images and reconstructions")
    generator: Generator | None = None


class FMRIDecoding(Settings):
    """Decode what was shown from BOLD."""

    pipeline: Literal["fmri_decoding"]
    title: str = "Decoding from fMRI"
    description: str = ""
    compute: Compute = Compute()
    input: BOLDInput = BOLDInput()
    mask: Mask | None = Mask()
    clean: Clean = Clean()
    responses: FMRIResponses = FMRIResponses()
    decode: Decode = Decode()
    reconstruct: Reconstruct | None = None


class MEEGDecoding(Settings):
    """Decode what was shown from M/EEG."""

    pipeline: Literal["meeg_decoding"]
    title: str = "Decoding from M/EEG"
    description: str = ""
    compute: Compute = Compute()
    input: Input = Input()
    signal: Signal = Signal()
    epochs: Epochs = Epochs()
    decode: EpochsDecode = EpochsDecode()


class Onset(Settings):
    """The annotated onset around which band power is compared."""

    trial_type: str | None = Field(None, description="by default the first event")
    l_freq: Positive = 8.0
    h_freq: Positive = 30.0
    after: Positive = Field(10.0, description="s after the onset, compared with everything before")


class IEEGQuality(Settings):
    """Look at an intracranial recording: contacts, references, line noise, high gamma, an annotated onset."""

    pipeline: Literal["ieeg_quality"]
    title: str = "Quality of an intracranial recording"
    description: str = ""
    compute: Compute = Compute()
    input: Input = Input()
    reference: Literal["none", "common_average", "bipolar", "laplacian"] = "none"
    high_gamma: tuple[Positive, Positive] = (70.0, 150.0)
    onset: Onset = Onset()


class Network(Settings):
    """A network whose layers are compared; it is read from this machine, never downloaded."""

    source: str = Field(description="folder of a model, or the id of one in the hub's cache")
    revision: str | None = None
    layers: Literal["all"] | list[int] = "all"
    pooling: str | None = Field(None, description="by default that of features.embed_images, embed_text and so on")


class StimulusColumns(Settings):
    """Which columns of the events name what was shown, heard or read."""

    id: str = Field("stim_file", description="column with the name of the stimulus")
    file: str = Field("stim_file", description="column with its file below stimuli/")
    kind: Literal["image", "audio", "video", "text"] | None = Field(None, description="leave files of other kinds out")


class Encode(Settings):
    """Encoding, and how it is tested."""

    low_level: bool = Field(True, description="low-level features beside every layer; alone they are the baseline")
    groups: str | None = Field(None, description="column whose values are held out whole; by default stimuli or runs")
    n_permutations: int = Field(199, ge=0)
    correction: Literal["bh", "by", "max"] = "bh"


class Rsa(Settings):
    """Comparison of RDMs."""

    measure: Literal["spearman", "pearson", "cosine", "rho_a", "tau_a", "whitened_cosine"] = "spearman"
    over: Literal["both", "stimuli", "subjects"] | None = Field(None, description="what is resampled, by default all there is")
    n_bootstrap: int = Field(1000, ge=2)
    correction: Literal["bh", "by"] = "bh"


class BrainRsa(Rsa):
    """RDMs of a brain, and their comparison."""

    distance: Literal["correlation", "euclidean", "crossnobis"] = "correlation"


class ModelToBrain(Settings):
    """Layers of a network against BOLD responses to the stimuli of a data set."""

    pipeline: Literal["model_to_brain"]
    title: str = "A model against a brain"
    description: str = ""
    compute: Compute = Compute()
    input: BOLDInput = BOLDInput()
    mask: Mask | None = Mask()
    clean: Clean = Clean()
    responses: FMRIResponses = FMRIResponses()
    stimuli: StimulusColumns = StimulusColumns()
    model: Network | None = Field(None, description="without one, low-level features alone are compared")
    encode: Encode = Encode()
    region: str = Field("region", description="column of the units; without it all units are one region")
    rsa: BrainRsa | None = BrainRsa()
    cka: bool = True
    leakage: bool = True


class FileInput(Settings):
    """The one file of the data folder that is read."""

    file: str


class ModelToRdms(Settings):
    """Model RDMs and networks against measured RDMs that one .npz file holds, with the images they are of."""

    pipeline: Literal["model_to_rdms"]
    title: str = "Models against measured RDMs"
    description: str = ""
    compute: Compute = Compute()
    input: FileInput
    measured: dict[str, str] = Field(min_length=1, description="name -> array of shape (..., n, n); the first is the main one")
    images: str | None = Field(None, description="array of shape (n, height, width, 3)")
    model_rdms: str | None = Field(None, description="array of shape (n_models, n, n)")
    model_names: str | None = Field(None, description="array of the names of these")
    leave_out: list[str] = Field(default_factory=list, description="names of model_rdms that are no models")
    model: Network | None = None
    rsa: Rsa = Rsa()


class EpochsFile(FileInput):
    """A file of epochs, and what its metadata say about the words."""

    word: str = Field("word", description="column with the word of each epoch")
    predictors: list[str] = Field(default_factory=list, description="numeric columns that are compared as they are")


class EpochsEncode(Encode):
    """Encoding at each channel and time: a p value is corrected by the largest of all."""

    correction: Literal["bh", "by", "max"] = "max"


class ModelToEpochs(Settings):
    """Features of words against M/EEG epochs, at each channel and time."""

    pipeline: Literal["model_to_epochs"]
    title: str = "Words against epochs"
    description: str = ""
    compute: Compute = Compute()
    input: EpochsFile
    frequencies: str | None = Field(None, description="language of the word frequencies, e.g. nl; needs wordfreq")
    model: Network | None = None
    encode: EpochsEncode = EpochsEncode()


Comparing = ModelToBrain | ModelToRdms | ModelToEpochs
Config = FMRIDecoding | MEEGDecoding | IEEGQuality | Comparing | Retrieving | Connectome
MODELS: dict[str, type[Any]] = {
    "fmri_decoding": FMRIDecoding,
    "meeg_decoding": MEEGDecoding,
    "ieeg_quality": IEEGQuality,
    "model_to_brain": ModelToBrain,
    "model_to_rdms": ModelToRdms,
    "model_to_epochs": ModelToEpochs,
    "meeg_speech": MEEGSpeech,
    "meeg_images": MEEGImages,
    "connectome": Connectome,
}
