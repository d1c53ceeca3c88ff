import subprocess
import sys

import pytest


@pytest.mark.parametrize("package", ["insml.learn", "insml.explain"])
def test_without_torch_the_message_names_the_extra(package: str) -> None:
    code = f"""
import sys
sys.modules["torch"] = None
from insml.errors import MissingExtraError
try:
    import {package}
except MissingExtraError as e:
    print(e)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "needs the package torch" in result.stdout
    assert "insml[ml]" in result.stdout


def test_data_sets_do_not_import_torch() -> None:
    code = "import sys, insml.datasets; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
