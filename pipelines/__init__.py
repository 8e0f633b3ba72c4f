"""The experiments that come with tfspec, by name."""

from tfspec.pipelines.capture24 import Capture24
from tfspec.pipelines.overlapped_speech import OverlappedSpeech
from tfspec.pipelines.radio_signals import RadioSignals
from tfspec.pipelines.rainforest import Rainforest
from tfspec.pipelines.speech_commands import SpeechCommands

PIPELINES = {
    pipeline.name: pipeline
    for pipeline in (Capture24, OverlappedSpeech, RadioSignals, Rainforest, SpeechCommands)
}

__all__ = ["PIPELINES", "Capture24", "OverlappedSpeech", "RadioSignals", "Rainforest", "SpeechCommands"]
