"""Make torch.npz: spectral features by PyTorch, which the tests compare tfspec's with.

PyTorch is no dependency of the project, its tests only read torch.npz. To make the file again:

    python3.11 -m venv torch-venv
    torch-venv/bin/pip install torch==2.13.0 numpy==2.4.6
    torch-venv/bin/python tests/golden/make_golden.py

The file there was made by Python 3.11.7, torch 2.13.0+cpu and numpy 2.4.6 on x86_64, one thread.

torchaudio itself is not used: no release that was tried (2.0.2, 2.2.2, 2.5.1, 2.8.0, 2.9.1, 2.10.0, 2.11.0)
imports beside a CPU build of torch 2.13, as its compiled part is linked with CUDA. The functions here carry
its formulas over torch.stft, and "T." and "F." below say which of torchaudio.transforms and
torchaudio.functional each array equals. They were compared once with the Python code of torchaudio 2.11.0
(the wheel without its compiled files, float64 as default type): nothing differed by more than the
rounding to float32.

All is computed in float64 and stored as float32, time before frequency. Unless said otherwise: 16 kHz,
periodic Hann window in the middle of the transform, center=True, pad_mode="reflect", power=2, onesided, not
normalized, f_min=0, f_max=8000, mel_scale="htk", norm=None. `x_frames` says which of all frames x holds.

Signals
    signal                     (16000,)  chirp with harmonics and noise, loud and quiet, within -0.5..0.5, in
                                         16-bit steps; samples 9200 to 10399 are zero
    short_range                (2,)      int32, start and stop of "short": the 3200 samples of `signal`, some
                                         of them zero, that all but multi_resolution is made of

Four resolutions (of `signal`): T.MelSpectrogram(16000, n_fft=2048, win_length=w, hop_length=100, pad=50,
f_min=25, f_max=7500, n_mels=160) for w = 250, 500, 750, 1000, the last axis; pad puts 50 zeros on both sides
before the reflection. The first and last of the 162 frames are dropped; `multi_resolution_frames` counts from
the first of the 160 left.
    multi_resolution_frames    (21,)             int32
    multi_resolution_power     (21, 160, 4)      linear power
    multi_resolution_db        (21, 160, 4)      10 log10(max(power, 1e-10))
    multi_resolution_mean      (4,)              mean of the decibels over all 160 frames and 160 bands
    multi_resolution_features  (21, 160, 4)      (decibels - mean) / 20 + linspace(-0.5, 0.5, 160) over bands

Mel power (of short): T.MelSpectrogram(16000, ...)
    mel_default                (17, 128)  defaults: n_fft=400, hop_length=200, n_mels=128
                                          (bands 0, 3, 6 and 13 are zero, no bin lies in them)
    mel_slaney_hamming         (21, 40)   n_fft=512, win_length=400, hop_length=160, n_mels=40, f_min=60,
                                          f_max=7600, norm="slaney", mel_scale="slaney",
                                          window_fn=torch.hamming_window (periodic)
    mel_default_db             (17, 128)  T.AmplitudeToDB("power", top_db=80) of mel_default

MFCC (of short): orthonormal DCT-II
    mfcc_default               (17, 40)   T.MFCC(16000, n_mfcc=40): of mel_default_db
    mfcc_log                   (21, 13)   T.MFCC(16000, n_mfcc=13, log_mels=True, melkwargs=dict(n_fft=400,
                                          hop_length=160, n_mels=23)): of log(mel + 1e-6)
    mfcc_default_delta         (17, 40)   F.compute_deltas(mfcc, win_length=5, mode="replicate") along time
    mfcc_default_delta2        (17, 40)   F.compute_deltas of mfcc_default_delta
    mfcc_log_delta             (21, 13)   the same of mfcc_log
    mfcc_log_delta2            (21, 13)

Spectra (of short): T.Spectrogram(n_fft=400, power=...), complex ones with (real, imaginary) as last axis
    stft_default_frames        (5,)           int32, of 17
    stft_default_complex       (5, 201, 2)    power=None, hop_length=200
    stft_default_magnitude     (5, 201)       power=1
    stft_default_power         (5, 201)       power=2
    stft_320_frames            (6,)           int32, of 21
    stft_320_complex           (6, 201, 2)    power=None, win_length=320, hop_length=160
    stft_320_magnitude         (6, 201)       power=1
    stft_320_power             (6, 201)       power=2
    stft_replicate_frames      (9,)           int32, of 33
    stft_replicate_complex     (9, 201, 2)    torch.stft(short, 400, 100, window=hann, pad_mode="replicate")

Mel filter banks, (bins, bands): F.melscale_fbanks(n_freqs, f_min, f_max, n_mels, 16000, norm, "htk")
    bank_160                   (1025, 160)    n_freqs=1025, 25..7500 Hz, norm=None
    bank_40                    (257, 40)      n_freqs=257, 0..8000 Hz, norm=None
    bank_40_slaney_norm        (257, 40)      n_freqs=257, 0..8000 Hz, norm="slaney"
"""

import math
from pathlib import Path

import numpy as np
import torch

RATE = 16000
SHORT = (7600, 10800)


def make_signal() -> np.ndarray:
    """One second: a chirp with harmonics and noise, in turn loud, quiet and silent."""
    rng = np.random.default_rng(20)
    seconds = np.arange(RATE) / RATE
    phase = 2 * np.pi * (150 * seconds + 200 * seconds**2)
    harmonics = sum(np.sin(k * phase + k) / k for k in range(1, 11))
    rising = np.sin(2 * np.pi * (500 * seconds + 3000 * seconds**2))
    sound = 0.2 * harmonics + 0.15 * rising + 0.03 * rng.standard_normal(RATE)
    loudness = np.interp(
        np.arange(RATE),
        [0, 1000, 3000, 4500, 6000, 8200, 9000, 9200, 10400, 10500, 13000, 15000, 16000],
        [0.3, 1.2, 1.0, 0.01, 0.005, 1.0, 0.02, 0.0, 0.0, 0.5, 1.2, 0.1, 0.4],
    )
    loudness[9200:10400] = 0
    return (np.round(32768 * 0.8 * loudness * sound).clip(-32768, 32767) / 32768).astype(np.float32)


def spectrogram(
    signal, n_fft=400, win_length=None, hop_length=None, pad=0, window_fn=torch.hann_window, power=2
):
    """torchaudio.transforms.Spectrogram, (bins, frames)."""
    win_length = win_length or n_fft
    spectrum = torch.stft(
        torch.nn.functional.pad(signal, (pad, pad)),
        n_fft,
        hop_length or win_length // 2,
        win_length,
        window_fn(win_length),
        pad_mode="reflect",
        return_complex=True,
    )
    return spectrum if power is None else spectrum.abs() ** power


def hz_to_mel(hz: float, scale: str) -> float:
    if scale == "htk":
        return 2595 * math.log10(1 + hz / 700)
    return hz * 3 / 200 if hz < 1000 else 15 + math.log(hz / 1000) / (math.log(6.4) / 27)


def mel_to_hz(mel, scale: str):
    if scale == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    return torch.where(mel < 15, mel * 200 / 3, 1000 * torch.exp((mel - 15) * math.log(6.4) / 27))


def mel_bank(n_freqs, f_min, f_max, n_mels, norm, scale):
    """torchaudio.functional.melscale_fbanks, (bins, bands)."""
    bins = torch.linspace(0, RATE / 2, n_freqs)[:, None]
    edges = mel_to_hz(torch.linspace(hz_to_mel(f_min, scale), hz_to_mel(f_max, scale), n_mels + 2), scale)
    left, middle, right = edges[:-2], edges[1:-1], edges[2:]
    up, down = (bins - left) / (middle - left), (right - bins) / (right - middle)
    bank = torch.minimum(up, down).clamp(min=0)
    return bank * 2 / (right - left) if norm == "slaney" else bank


def mel_spectrogram(
    signal, n_fft=400, n_mels=128, f_min=0, f_max=RATE / 2, norm=None, mel_scale="htk", **kwargs
):
    """torchaudio.transforms.MelSpectrogram, (bands, frames)."""
    bank = mel_bank(n_fft // 2 + 1, f_min, f_max, n_mels, norm, mel_scale)
    return bank.T @ spectrogram(signal, n_fft, **kwargs)


def decibels(power, top_db=None):
    """torchaudio.transforms.AmplitudeToDB("power", top_db) of one picture."""
    levels = 10 * torch.log10(power.clamp(min=1e-10))
    return levels if top_db is None else levels.clamp(min=levels.max() - top_db)


def cepstrum(log_mel, n_mfcc):
    """Take the orthonormal DCT-II over the bands, as torchaudio.transforms.MFCC does."""
    n_mels = len(log_mel)
    dct = torch.cos(math.pi / n_mels * (torch.arange(n_mels) + 0.5) * torch.arange(n_mfcc)[:, None])
    dct[0] /= math.sqrt(2)
    return math.sqrt(2 / n_mels) * dct @ log_mel


def deltas(features):
    """torchaudio.functional.compute_deltas(features, win_length=5, mode="replicate")."""
    padded = torch.nn.functional.pad(features[None], (2, 2), mode="replicate")[0]
    frames = features.shape[1]
    shifted = [padded[:, start : start + frames] for start in range(5)]
    return sum((start - 2) * part for start, part in enumerate(shifted)) / 10


def time_first(picture) -> np.ndarray:
    """(bins, frames, ...) to (frames, bins, ...), complex numbers as two reals."""
    if picture.is_complex():
        picture = torch.view_as_real(picture)
    return picture.transpose(0, 1).numpy()


def multi_resolution(signal) -> dict:
    settings = {"n_fft": 2048, "hop_length": 100, "pad": 50, "f_min": 25, "f_max": 7500, "n_mels": 160}
    pictures = [mel_spectrogram(signal, win_length=length, **settings) for length in (250, 500, 750, 1000)]
    power = torch.stack(pictures, dim=-1).transpose(0, 1)[1:-1]
    levels = decibels(power)
    mean = levels.mean((0, 1))
    features = (levels - mean) / 20 + torch.linspace(-0.5, 0.5, 160)[:, None]
    frames = np.append(np.arange(0, 160, 8), 159)
    return {
        "multi_resolution_frames": frames,
        "multi_resolution_power": power[frames].numpy(),
        "multi_resolution_db": levels[frames].numpy(),
        "multi_resolution_mean": mean.numpy(),
        "multi_resolution_features": features[frames].numpy(),
    }


def mel_and_mfcc(short) -> dict:
    mel = mel_spectrogram(short)
    slaney = mel_spectrogram(
        short,
        n_fft=512,
        win_length=400,
        hop_length=160,
        n_mels=40,
        f_min=60,
        f_max=7600,
        norm="slaney",
        mel_scale="slaney",
        window_fn=torch.hamming_window,
    )
    levels = decibels(mel, top_db=80)
    arrays = {"mel_default": mel, "mel_slaney_hamming": slaney, "mel_default_db": levels}
    log_mel = torch.log(mel_spectrogram(short, hop_length=160, n_mels=23) + 1e-6)
    for name, mfcc in (("mfcc_default", cepstrum(levels, 40)), ("mfcc_log", cepstrum(log_mel, 13))):
        arrays |= {name: mfcc, f"{name}_delta": deltas(mfcc), f"{name}_delta2": deltas(deltas(mfcc))}
    return {name: time_first(array) for name, array in arrays.items()}


def spectra(short) -> dict:
    arrays = {}
    for name, settings in (("default", {}), ("320", {"win_length": 320, "hop_length": 160})):
        for kind, power in (("complex", None), ("magnitude", 1), ("power", 2)):
            picture = time_first(spectrogram(short, power=power, **settings))
            frames = np.arange(0, len(picture), 4)
            arrays |= {f"stft_{name}_frames": frames, f"stft_{name}_{kind}": picture[frames]}
    frames = np.array([0, 1, 2, 3, 16, 29, 30, 31, 32])
    picture = torch.stft(
        short, 400, 100, window=torch.hann_window(400), pad_mode="replicate", return_complex=True
    )
    return arrays | {
        "stft_replicate_frames": frames,
        "stft_replicate_complex": time_first(picture)[frames],
    }


def banks() -> dict:
    return {
        "bank_160": mel_bank(1025, 25, 7500, 160, None, "htk").numpy(),
        "bank_40": mel_bank(257, 0, 8000, 40, None, "htk").numpy(),
        "bank_40_slaney_norm": mel_bank(257, 0, 8000, 40, "slaney", "htk").numpy(),
    }


def main() -> None:
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    samples = make_signal()
    signal = torch.from_numpy(samples).double()
    short = signal[slice(*SHORT)]
    arrays = {"signal": samples, "short_range": np.array(SHORT)}
    arrays |= multi_resolution(signal) | mel_and_mfcc(short) | spectra(short) | banks()
    stored = {
        name: array.astype(np.int32 if array.dtype.kind == "i" else np.float32)
        for name, array in arrays.items()
    }
    path = Path(__file__).with_name("torch.npz")
    np.savez_compressed(path, **stored)
    for name, array in stored.items():
        print(f"{name:27}{array.shape!s:16}{array.dtype!s:9}{array.min():12.5g}{array.max():12.5g}")
    print(f"{path.name}: {path.stat().st_size} bytes, torch {torch.__version__}, numpy {np.__version__}")


if __name__ == "__main__":
    main()
