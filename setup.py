"""The wheel has the recipes of configs/ as rnnlm/configs; pyproject.toml says everything else."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class WithRecipes(build_py):
    def run(self):
        super().run()
        if not self.editable_mode:  # where rnnlm finds them beside itself
            folder = Path(self.build_lib, "rnnlm", "configs")
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree("configs", folder)


setup(cmdclass={"build_py": WithRecipes})
