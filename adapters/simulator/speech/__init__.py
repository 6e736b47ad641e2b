"""The recorded voices of the simulators: names, texts and samples. No playing, no protocol; WAV in, int16 out."""

from adapters.simulator.speech.library import RecordedLine, line_for_text, lines, read_samples, wav_path

__all__ = ["RecordedLine", "line_for_text", "lines", "read_samples", "wav_path"]
