"""Conda packages whose name on the Python package index differs, or that are not there at all.

A name that is in none of these tables is the same in both worlds.
"""

from __future__ import annotations

PYPI_NAMES = {
    "dask-core": "dask",
    "faiss": "faiss-cpu",
    "matplotlib-base": "matplotlib",
    "msgpack-python": "msgpack",
    "opencv": "opencv-python",
    "py-opencv": "opencv-python",
    "py-lightgbm": "lightgbm",
    "py-xgboost": "xgboost",
    "py-xgboost-cpu": "xgboost",
    "pytables": "tables",
    "python-graphviz": "graphviz",
    "python-kubernetes": "kubernetes",
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "ruamel_yaml": "ruamel.yaml",
    "seaborn-base": "seaborn",
    "tensorflow-gpu": "tensorflow",
    "tensorflow-base": "tensorflow",
    "pyqt": "pyqt5",
    "uvicorn-standard": "uvicorn[standard]",
}

# Libraries that a Python wheel or the interpreter brings itself: dropped, and the log says so.
BROUGHT_ALONG = frozenset(
    {
        "_libgcc_mutex",
        "_openmp_mutex",
        "blas",
        "bzip2",
        "ca-certificates",
        "cudatoolkit",
        "cudnn",
        "ld_impl_linux-64",
        "libblas",
        "libcblas",
        "libcxx",
        "libffi",
        "libgcc",
        "libgcc-ng",
        "libgfortran",
        "libgomp",
        "liblapack",
        "libopenblas",
        "libsqlite",
        "libstdcxx",
        "libstdcxx-ng",
        "libuuid",
        "libzlib",
        "llvm-openmp",
        "ncurses",
        "openssl",
        "python_abi",
        "readline",
        "sqlite",
        "tk",
        "xz",
        "zlib",
    }
)

# Programs: the index may have another thing of the same name, so they are refused, never guessed.
PROGRAMS = frozenset(
    {
        "clang",
        "compilers",
        "cuda-nvcc",
        "cuda-toolkit",
        "curl",
        "cxx-compiler",
        "ffmpeg",
        "gcc",
        "gcc_linux-64",
        "git",
        "graphviz",
        "gxx",
        "gxx_linux-64",
        "make",
        "mpich",
        "nodejs",
        "openjdk",
        "openmpi",
        "poppler",
        "postgresql",
        "r-base",
        "tesseract",
        "unzip",
        "wget",
    }
)
