"""The three general tasks (recordings, windows, pictures), and the published experiments on top of them."""

from tfspec.pipelines.capture24 import Capture24
from tfspec.pipelines.overlapped_speech import OverlappedSpeech
from tfspec.pipelines.own_pictures import OwnPictures
from tfspec.pipelines.own_recordings import OwnRecordings
from tfspec.pipelines.own_windows import OwnWindows
from tfspec.pipelines.radio_signals import RadioSignals
from tfspec.pipelines.rainforest import Rainforest
from tfspec.pipelines.speech_commands import SpeechCommands

__all__ = [
    "Capture24",
    "OverlappedSpeech",
    "OwnPictures",
    "OwnRecordings",
    "OwnWindows",
    "RadioSignals",
    "Rainforest",
    "SpeechCommands",
]
