"""Reading measured files and writing results. Nothing heavy is imported before a file is opened."""

from insml.io.cut_mdhisto import write_cut_mdhisto
from insml.io.detectors import detector_table, read_par, read_phx, write_par
from insml.io.histogram import Histogram, HistogramAxis
from insml.io.image import Image, read_image
from insml.io.mdhisto import read_mdhisto
from insml.io.nexus import read_mosaic, write_mosaic
from insml.io.nexus_cut import read_cut, write_cut
from insml.io.nxspe import Run, read_nxspe
from insml.io.open import open_any
from insml.io.spe import read_spe, read_spe_run
from insml.io.sqw import read_sqw, write_sqw
from insml.io.text_columns import write_columns, write_xye
from insml.io.write_mdhisto import write_mdhisto
from insml.io.write_nxspe import write_nxspe

__all__ = ["Histogram", "HistogramAxis", "Image", "Run", "detector_table", "open_any", "read_cut", "read_image",
           "read_mdhisto", "read_mosaic", "read_nxspe", "read_par", "read_phx", "read_spe", "read_spe_run",
           "read_sqw", "write_columns", "write_cut", "write_cut_mdhisto", "write_mdhisto", "write_mosaic",
           "write_nxspe", "write_par", "write_sqw", "write_xye"]
