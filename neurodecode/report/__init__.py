"""Every figure and section of the one self-contained page that a run leaves behind, chosen by result type."""

from neurodecode.report import figures
from neurodecode.report.contents import RunContents
from neurodecode.report.page import rerender, write
from neurodecode.report.store import load_contents, save_contents

__all__ = ["RunContents", "figures", "load_contents", "rerender", "save_contents", "write"]
