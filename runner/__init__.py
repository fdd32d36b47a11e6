"""Running a study: from its file to its report. Its public names are those of the module `mtpa`."""

import runner.backends.catalogue.kinds  # noqa: F401, so that a study may name every backend that comes with mtpa
