"""Public data sets of speech, a few kilobytes in the true layout of their authors, and what their manifests then expect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import meg_files
import numpy as np
import pandas as pd
import scipy.io
import scipy.io.wavfile
from bids_trees import write_description, write_table
from datasets.meeg_miniatures import expecting

from neurodecode.datasets.manifest import Manifest

# --- MEG-MASC: KIT recordings with coils and head shape, events that are dictionaries as text -----------------------------

MASC_COILS = np.array([[0.1, 0.03, 0.03], [0.09, -0.03, 0.03], [0.1, 0, 0.05], [0.03, 0.08, 0.01], [0.03, -0.08, 0.01]])  # m
MASC_FIDUCIALS = np.array([[0.1, 0, 0], [0, 0.08, 0], [0, -0.08, 0]])
MASC_SHIFT = np.array([0.0, 0.0, -0.03])  # the head lies 3 cm lower in the device than its own frame
MASC_WORDS = [
    ("Tara", 0, "sentence"),
    ("stood", 0, "sentence"),
    ("stock", 0, "sentence"),
    ("dog", 1, "word_list"),
    ("it\u2019s", 1, "word_list"),
]


def masc_events(session: int) -> pd.DataFrame:
    """A sound, words and phonemes; the second session begins half a second later."""
    begin, rows = 1.0 + 0.5 * session, []
    known = {"story": "lw1", "sound": "stimuli/audio/LW1_0.0.wav"}

    def add(at: float, duration: float, **told: Any) -> None:
        rows.append((begin + at, duration, repr({**known, **told})))

    add(0.0, 2.0, kind="sound", start=0.0)
    for i, (word, sequence, condition) in enumerate(MASC_WORDS):
        told = {"sequence_id": float(sequence), "condition": condition, "word_index": float(i), "pronounced": 1.0}
        add(0.3 * i, 0.25, kind="word", word=word, start=0.3 * i, speech_rate=205.0, **told)
        add(0.3 * i + 0.01, 0.1, kind="phoneme", phoneme="t_B", start=0.3 * i + 0.01, **told)
    table = pd.DataFrame(rows, columns=["onset", "duration", "trial_type"])
    return table.assign(value=1, sample=(1000 * table["onset"]).round().astype(int))


def masc_counts(session: int) -> np.ndarray:
    """Femtotesla of eight sensors and two trigger channels, 4 s."""
    counts = np.random.default_rng(session).integers(-900, 900, (10, 4000))
    counts[8:] = 0
    return counts


def write_meg_masc(root: Path) -> Path:
    """Subject 01, both sessions of story 0."""
    write_description(root, "MEG-MASC")
    write_table(root / "participants.tsv", pd.DataFrame({"participant_id": ["sub-01"]}))
    for session in (0, 1):
        folder = root / "sub-01" / f"ses-{session}" / "meg"
        visit = f"sub-01_ses-{session}"
        meg_files.write_kit(folder / f"{visit}_task-0_meg.con", 8, masc_counts(session))
        meg_files.write_markers(folder / f"{visit}_task-0_markers.mrk", MASC_COILS + MASC_SHIFT)
        meg_files.write_points(folder / f"{visit}_acq-ELP_headshape.pos", np.vstack([MASC_FIDUCIALS, MASC_COILS]))
        meg_files.write_points(folder / f"{visit}_acq-HSP_headshape.pos", MASC_FIDUCIALS + 0.01)
        write_table(folder / f"{visit}_task-0_events.tsv", masc_events(session))
        sidecar = {"TaskName": "0", "PowerLineFrequency": 60, "SamplingFrequency": 1000.0, "DewarPosition": "supine"}
        (folder / f"{visit}_task-0_meg.json").write_text(json.dumps(sidecar), encoding="utf-8")
        names = [f"MEG {i:03d}" for i in range(1, 9)] + ["TRIGGER 001", "TRIGGER 002", "STI 014"]
        kinds = ["MEGMAG"] * 8 + ["MISC"] * 2 + ["TRIG"]
        status = ["good"] * 3 + ["bad"] + ["good"] * 7
        write_table(
            folder / f"{visit}_task-0_channels.tsv",
            pd.DataFrame({"name": names, "type": kinds, "units": "n/a", "status": status}),
        )
    write_wav(root / "stimuli" / "audio" / "lw1_0.wav", 2.0)
    return root


def write_spoken_masc(root: Path, visits: tuple[tuple[str, int], ...] = (("01", 0), ("01", 1)), n_sentences: int = 12) -> Path:
    """Story 0 as long as decoding needs: two sounds of sentences, whose loudness the sensors follow 150 ms late."""
    write_meg_masc(root)
    words, envelopes = spoken_sentences(n_sentences)
    for name, envelope in envelopes.items():
        noise = np.random.default_rng(0).standard_normal(len(envelope) * 8)
        write_samples(root / "stimuli" / "audio" / f"{name}.wav", np.repeat(envelope, 8) * noise)
    for subject, session in visits:
        source, folder = root / "sub-01" / f"ses-{session}" / "meg", root / f"sub-{subject}" / f"ses-{session}" / "meg"
        if folder != source:
            for file in source.iterdir():
                folder.mkdir(parents=True, exist_ok=True)
                (folder / file.name.replace("sub-01", f"sub-{subject}")).write_bytes(file.read_bytes())
        stem, seed = f"sub-{subject}_ses-{session}_task-0", 10 * int(subject) + session
        begin = {name: 1.0 + k * (len(envelope) / 1000 + 1.0) for k, (name, envelope) in enumerate(envelopes.items())}
        write_table(folder / f"{stem}_events.tsv", spoken_events(words, begin))
        meg_files.write_kit(folder / f"{stem}_meg.con", 8, followed(envelopes, begin, seed))
    return root


def spoken_sentences(n_sentences: int) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Words of two sounds, five a sentence, no two sentences alike; and the loudness of each sound at 1000 Hz."""
    rng, rows, envelopes = np.random.default_rng(5), [], {}
    for sound in ("lw1_0", "lw1_1"):
        now = 0.3
        for sentence in range(n_sentences):
            for _ in range(5):
                rows.append((sound, f"word{len(rows)}", now, sentence, rng.uniform(0.1, 1.0)))
                now += rng.uniform(0.5, 0.9)
        envelope = np.zeros(int(1000 * (now + 0.5)))
        for _, _, onset, _, loud in (row for row in rows if row[0] == sound):
            envelope[int(1000 * onset) : int(1000 * onset) + 350] = loud
        envelopes[sound] = envelope
    return pd.DataFrame(rows, columns=["sound", "word", "start", "sentence", "loud"]), envelopes


def spoken_events(words: pd.DataFrame, begin: dict[str, float]) -> pd.DataFrame:
    """Sounds and words as the authors describe them."""
    rows = []
    for name, at in begin.items():
        known = {"story": "lw1", "sound": f"stimuli/audio/{name.upper()}.0.wav"}
        rows.append((at, 1.0, repr({**known, "kind": "sound", "start": 0.0})))
        for word in words[words["sound"] == name].itertuples():
            told = {"kind": "word", "word": word.word, "start": float(word.start), "sequence_id": float(word.sentence)}
            rows.append((at + word.start, 0.35, repr({**known, **told, "condition": "sentence"})))
    table = pd.DataFrame(rows, columns=["onset", "duration", "trial_type"]).sort_values("onset", ignore_index=True)
    return table.assign(value=1, sample=(1000 * table["onset"]).round().astype(int))


def followed(envelopes: dict[str, np.ndarray], begin: dict[str, float], seed: int) -> np.ndarray:
    """Femtotesla of eight sensors that follow the loudness, each as much as it does, and two trigger channels."""
    rng = np.random.default_rng(seed)
    last = max(at + len(envelopes[name]) / 1000 for name, at in begin.items())
    signal = np.zeros(int(1000 * (last + 2)))
    for name, at in begin.items():
        first = int(1000 * (at + 0.15))
        signal[first : first + len(envelopes[name])] += envelopes[name]
    counts = 400 * rng.standard_normal((8, 1)) * signal + 100 * rng.standard_normal((8, len(signal)))
    return np.vstack([counts, np.zeros((2, len(signal)))]).clip(-2000, 2000).astype(int)


def write_samples(path: Path, samples: np.ndarray, rate: int = 8000) -> None:
    """A sound of values about 1."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.wavfile.write(path, rate, (6000 * samples).clip(-32000, 32000).astype(np.int16))


def write_wav(path: Path, seconds: float, rate: int = 8000) -> None:
    """A tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.wavfile.write(path, rate, (8000 * np.sin(np.arange(int(seconds * rate)))).astype(np.int16))


def meg_masc() -> Manifest:
    """The manifest, with the sensors of the miniature."""
    return expecting("meg_masc", channel_kinds={"mag": 8})


# --- Brennan & Hale 2019: FieldTrip structures, a table of words, sounds --------------------------------------------------

ALICE = ["Alice", "was", "beginning", "to", "get", "very", "tired", "of"]
ALICE_BEGINS = 2.0 + 0.6 * np.arange(8)  # s of the recording; the second sound begins one second later
ALICE_LOST = 3  # number of the word that the recording lacks


def alice_words() -> pd.DataFrame:
    """AliceChapterOne-EEG.csv: four words in each of two sounds."""
    onset = np.tile(0.1 + 0.6 * np.arange(4), 2)
    table = pd.DataFrame({"Word": ALICE, "Segment": np.repeat([1, 2], 4), "onset": onset, "offset": onset + 0.3})
    known = {"Order": range(1, 9), "Length": [len(word) for word in ALICE], "Position": np.tile(range(1, 5), 2)}
    return table.assign(**known, Sentence=np.repeat([1, 2], 4), LogFreq=10.5, IsLexical=1, NGRAM=4.5, RNN=3.5, CFG=2.5)


def alice_signal() -> np.ndarray:
    """Microvolts of 62 channels, 8 s at 500 Hz."""
    return np.random.default_rng(11).normal(0, 20, (62, 4000))


def cells(texts: list[str]) -> np.ndarray:
    """A column of texts, as MATLAB has them in cells."""
    column = np.empty((len(texts), 1), object)
    column[:, 0] = texts
    return column


def alice_structures() -> tuple[dict[str, Any], dict[str, Any]]:
    """Raw and proc of a person."""
    labels = cells([str(n) for n in range(1, 62) if n != 29] + ["VEOG", "AUD"])
    header = {"Fs": 500.0, "nChans": 62.0, "label": labels, "nSamples": 4000.0, "nTrials": 1.0, "chanunit": cells(["uV"] * 62)}
    one, times = np.empty((2, 1, 1), object)
    one[0, 0], times[0, 0] = alice_signal(), np.arange(4000) / 500
    raw = {"hdr": header, "fsample": 500.0, "label": labels, "trial": one, "time": times, "sampleinfo": [[1.0, 4000.0]]}
    begin = 1 + 500 * ALICE_BEGINS - 150  # trials begin 0.3 s before their word
    rows = np.column_stack([begin, begin + 650, np.full(8, -150), np.repeat([1, 2], 4), np.full(8, 0.1), range(1, 9)])
    proc = {
        "trl": np.delete(rows, ALICE_LOST - 1, axis=0),
        "varnames": cells(["segment", "tmin", "Order"]).T,
        "impedence": {"bads": cells(["12", "30"])},
        "rejections": {"badchans": cells(["45"])},
        "tot_trials": 8.0,
    }
    return raw, proc


def write_brennan2019(root: Path) -> Path:
    """S01."""
    raw, proc = alice_structures()
    (root / "proc").mkdir(parents=True)
    scipy.io.savemat(root / "S01.mat", {"raw": raw}, do_compression=True)
    scipy.io.savemat(root / "proc" / "S01.mat", {"proc": proc}, do_compression=True)
    alice_words().to_csv(root / "AliceChapterOne-EEG.csv", index=False)
    for segment in (1, 2):
        write_wav(root / "audio" / f"DownTheRabbitHoleFinal_SoundFile{segment}.wav", 2.5)
    return root


# --- Broderick et al. 2018: arrays in MATLAB files, words with their times --------------------------------------------------

SANTIAGO = ["He", "was", "an", "old", "man", "who", "fished", "alone"]
SANTIAGO_BEGINS = np.array([[0.5], [1.0], [1.4], [1.8], [2.4], [3.0], [3.5], [4.2]])


def broderick_signals(run: int) -> dict[str, Any]:
    """Microvolts of 5 s."""
    random = np.random.default_rng(run)
    return {"eegData": random.normal(0, 20, (640, 128)), "mastoids": random.normal(0, 20, (640, 2)), "fs": 128.0}


def broderick_words() -> dict[str, Any]:
    """Two sentences, of which the times of the ends are given."""
    times = {"onset_time": SANTIAGO_BEGINS, "offset_time": SANTIAGO_BEGINS + 0.25}
    return {"wordVec": cells(SANTIAGO), **times, "sentence_boundaries": [[2.65], [4.45]]}


def broderick_envelope() -> np.ndarray:
    """Of 5 s."""
    return np.abs(np.random.default_rng(2).normal(size=(640, 1)))


def write_broderick2018(root: Path) -> Path:
    """Subject 1, runs 1 and 2."""
    home = root / "Natural Speech"
    for folder in ("EEG/Subject1", "Stimuli/Text", "Stimuli/Envelopes"):
        (home / folder).mkdir(parents=True)
    for run in (1, 2):
        scipy.io.savemat(home / "EEG" / "Subject1" / f"Subject1_Run{run}.mat", broderick_signals(run), do_compression=True)
        scipy.io.savemat(home / "Stimuli" / "Text" / f"Run{run}.mat", broderick_words())
        scipy.io.savemat(home / "Stimuli" / "Envelopes" / f"audio{run}_128Hz.mat", {"env": broderick_envelope()})
    return root


# --- LibriBrain: HDF5 files in chunks, a table of events with empty cells ---------------------------------------------------

LIBRI_NAMES = ["MEG0113", "MEG0112", "MEG0111", "MEG0122"]
LIBRI_KINDS = ["grad", "grad", "mag", "grad"]
LIBRI_WORDS = ["to", "Sherlock", "None", "she"]


def libri_signal() -> np.ndarray:
    """Of four sensors, 4 s at 250 Hz."""
    return (np.random.default_rng(12).normal(size=(4, 1000)) * 1e-12).astype(np.float32)


def libri_events() -> pd.DataFrame:
    """A silence, then words of two sentences, each with one phoneme; the sound begins at 0.5 s."""
    rows = [{"kind": "silence", "segment": "", "timemeg": 0.5, "duration": 0.3}]
    for i, word in enumerate(LIBRI_WORDS):
        at = {"sentenceidx": i // 2, "wordidx": i % 2, "timemeg": 0.8 + 0.4 * i, "timesentence": 0.4 * (i % 2)}
        rows.append({"kind": "word", "segment": word, "duration": 0.35, **at})
        rows.append({"kind": "phoneme", "segment": "t_B", "duration": 0.1, "phonemeidx": 0, **at})
    table = pd.DataFrame(rows).assign(wavile="1_SherlockHolmes1.wav")
    return table.assign(timechapter=table["timemeg"] - 0.5, idx=range(len(table)))


def write_libribrain(root: Path) -> Path:
    """Sherlock1, session 1, run 1."""
    home, stem = root / "Sherlock1" / "derivatives", "sub-0_ses-1_task-Sherlock1_run-1"
    for folder in ("serialised", "events"):
        (home / folder).mkdir(parents=True)
    with h5py.File(home / "serialised" / f"{stem}_proc-bads+headpos+sss+notch+bp+ds_meg.h5", "w") as file:
        file.create_dataset("data", data=libri_signal(), chunks=(4, 50))
        file.create_dataset("times", data=np.arange(1000) / 250)
        file.attrs.update(sample_frequency=250.0, highpass_cutoff=0.1, lowpass_cutoff=125.0)
        file.attrs.update(channel_names=", ".join(LIBRI_NAMES), channel_types=", ".join(LIBRI_KINDS))
    libri_events().to_csv(home / "events" / f"{stem}_events.tsv", sep="\t", index=False)
    sensors = [{"ch_name": name, "coil_type": 3012, "loc": [0.01 * i] * 12} for i, name in enumerate(LIBRI_NAMES)]
    (root / "meg_sensors_information.json").write_text(json.dumps(sensors), encoding="utf-8")
    return root


def libribrain() -> Manifest:
    """The manifest, with the sensors of the miniature."""
    return expecting("libribrain", shape={"meg": (4, None)}, channel_kinds={"mag": 1, "grad": 3})


# --- MOUS: CTF recordings, logs of the experiment, an alignment -------------------------------------------------------------

MOUS_TEXTS = {"186": "Het kleine meisje zingt.", "7": "zingt meisje het", "12": "De oude man slaapt."}
MOUS_HEARD = [("ZINNEN", 186, 1.0), ("WOORDEN", 7, 3.0), ("ZINNEN", 12, 5.0)]  # condition, number, start of the file in s


def mous_heard() -> pd.DataFrame:
    """Log of a listener; each sound begins 0.1 s after its start and lasts 1.5 s."""
    rows = []
    for word, number, start in MOUS_HEARD:
        rows += [(start - 0.6, "Picture", word), (start - 0.3, "Picture", "FIX"), (start, "Sound", f"Start File {number}.wav")]
        rows += [(start + 0.1, "Nothing", "Audio onset"), (start + 1.6, "Nothing", "End of file")]
        rows += [(start + 1.7, "UPPT001", "64")]
    return _mous_log(rows)


def mous_read() -> pd.DataFrame:
    """Log of a reader: a sentence, a list and a sentence that no text has, words 0.3 s apart."""
    rows, at = [], 1.0
    for condition, words in (
        ("ZINNEN", "Het kleine meisje zingt."),
        ("WOORDEN", "zingt meisje het"),
        ("ZINNEN", "Niemand weet het."),
    ):
        rows += [(at - 0.4, "Picture", condition), (at - 0.2, "Picture", "FIX")]
        rows += [(at + 0.3 * i, "Picture", f"{i + 1} {word} 300") for i, word in enumerate(words.split())]
        at += 2.0
    return _mous_log([*rows, (at, "Picture", "QUESTION")])


def _mous_log(rows: list[tuple[float, str, str]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["onset", "type", "value"]).assign(duration=0.0)
    return table.assign(sample=(1200 * table["onset"]).round().astype(int))[["onset", "duration", "sample", "type", "value"]]


def mous_counts() -> np.ndarray:
    """Femtotesla of three sensors and two references, and a trigger channel; 8 s."""
    counts = np.random.default_rng(13).integers(-900, 900, (6, 9600))
    counts[-1] = 0
    return counts


def write_mous(root: Path) -> Path:
    """A listener and a reader."""
    write_description(root, "MOUS")
    kinds = [*["mag"] * 3, "ref", "ref", "stim"]
    names = ["MLC11-1609", "MRO11-1609", "MZO01-1609", "BG1-1609", "BG2-1609", "UPPT001"]
    for person, task, log in (("A2002", "auditory", mous_heard()), ("V1001", "visual", mous_read())):
        stem = root / f"sub-{person}" / "meg" / f"sub-{person}_task-{task}"
        meg_files.write_ctf(stem.with_name(f"{stem.name}_meg.ds"), names, kinds, mous_counts())
        write_table(stem.with_name(f"{stem.name}_events.tsv"), log)
    (root / "stimuli").mkdir()
    lines = [f"{number} {text}\n" for number, text in MOUS_TEXTS.items()]
    (root / "stimuli" / "stimuli.txt").write_text("".join(lines), encoding="utf-8")
    for number in MOUS_TEXTS:
        write_wav(root / "stimuli" / "audio_files" / f"EQ_Ramp_Int2_Int1LPF{int(number):03d}.wav", 1.5)
    write_alignment(root / "derivatives" / "phonemes" / "EQ_Ramp_Int2_Int1LPF186.TextGrid", MOUS_TEXTS["186"].strip(".").split())
    return root


def write_alignment(path: Path, words: list[str]) -> None:
    """A TextGrid of words of 0.3 s, each with one phoneme of 0.1 s, after a silence of 0.2 s."""
    path.parent.mkdir(parents=True)
    spoken = [(0.0, 0.2, "")] + [(0.2 + 0.3 * i, 0.5 + 0.3 * i, word) for i, word in enumerate(words)]
    phones = [(0.0, 0.2, "<p:>")]
    for start, end, word in spoken[1:]:
        phones += [(start, start + 0.1, word[0]), (start + 0.1, end, "")]
    end = spoken[-1][1]
    text = f'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n{end:g}\n<exists>\n2\n'
    for name, items in (("ORT-MAU", spoken), ("MAU", phones)):
        text += f'"IntervalTier"\n"{name}"\n0\n{end:g}\n{len(items)}\n'
        text += "".join(f'{a:g}\n{b:g}\n"{label}"\n' for a, b, label in items)
    path.write_text(text, encoding="utf-8")


def mous() -> Manifest:
    """The manifest, with the sensors of the miniature."""
    return expecting("mous", channel_kinds={"mag": 3})
