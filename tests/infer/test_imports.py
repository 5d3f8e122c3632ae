import subprocess
import sys


def test_neither_the_command_line_nor_the_work_process_imports_a_framework() -> None:
    asked = "import sys, dicom_node.cli, dicom_node.work.worker; print({'torch', 'tensorflow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"
