"""The three general tasks (recordings, windows, pictures), and the published experiments on top of them."""

from tfspec.pipelines.capture24 import Capture24
from tfspec.pipelines.overlapped_speech import OverlappedSpeech
from tfspec.pipelines.radio_signals import RadioSignals
from tfspec.pipelines.rainforest import Rainforest
from tfspec.pipelines.speech_commands import SpeechCommands

__all__ = ["Capture24", "OverlappedSpeech", "RadioSignals", "Rainforest", "SpeechCommands"]
