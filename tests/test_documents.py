"""What the documents name exists: files, modules, flags, links."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "benchmarks").glob("*.md")),
]
FOLDERS = ("benchmarks", "cancernet", "constraints", "docs", "tests", "tools")
# Flags of other programs: pip, uv, Docker, tf2onnx, Dask, Slurm, curl, MLflow.
OF_OTHERS = {
    "--data-binary", "--backend-store-uri",
    "--exclude-editable", "--extra", "--resolution", "--build", "--rm", "--nworkers", "--nthreads",
    "--scheduler-file", "--array", "--cpus-per-task", "--nodes", "--ntasks-per-node",
    "--saved-model", "--tflite",
}  # fmt: skip

CODE = re.compile(r"^ *```.*?^ *```|^ {4}\S[^\n]*|``.+?``|`[^`]+`", re.MULTILINE | re.DOTALL)
PATH = re.compile(rf"(?<![\w./<>{{}}-])(?:{'|'.join(FOLDERS)})/[\w./-]+")
SOURCE_FILE = re.compile(r"(?<![\w./<>*-])(?:[a-z_]+/)*[a-z_]+\.(?:py|js|toml|j2)\b")
MODULE = re.compile(r"(?<![\w./])cancernet(?!\.(?:example|py)\b)(?:\.[A-Za-z_]\w*)+")
TEST = re.compile(r"(?<![\w/])test_\w+(?![\w.])")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]\b(?!\.\w)")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def code_of(document: Path) -> str:
    """All that a document shows as code, inline and in blocks."""
    return "\n".join(CODE.findall(document.read_text(encoding="utf-8")))


def known_flags() -> set[str]:
    """Flags of the scripts, as their recorded helps have them, and of benchmarks and tools."""
    helps = [*(ROOT / "tests" / "golden" / "records" / "help").glob("*.txt")]
    others = [*(ROOT / "benchmarks").glob("*.py"), *(ROOT / "tools").rglob("*.py")]
    found = {flag for path in helps for flag in FLAG.findall(path.read_text(encoding="utf-8"))}
    for path in others:
        text = path.read_text(encoding="utf-8")
        if "argparse" in text:
            found |= set(re.findall(r"\"(--[a-z-]+)\"", text))
    return found | {"--help", "--version"}


def is_there(module: str) -> bool:
    """Whether a dotted name is a module, or stands in the file of one."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:length])
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                name = parts[length] if length < len(parts) else ""
                return name in file.read_text(encoding="utf-8")
    return False


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
class TestADocument:
    def test_its_paths_exist(self, document):
        code = code_of(document)
        named = {path.rstrip("./") for path in PATH.findall(code)}
        assert not sorted(path for path in named if not (ROOT / path).exists())

    def test_its_source_files_exist(self, document):
        sources = {
            path.relative_to(ROOT).as_posix()
            for folder in FOLDERS
            for path in (ROOT / folder).rglob("*.*")
        } | {path.name for path in ROOT.glob("*.*")}
        missing = [
            name
            for name in sorted(set(SOURCE_FILE.findall(code_of(document))))
            if not any(f"/{source}".endswith(f"/{name}") for source in sources)
        ]
        assert not missing

    def test_its_modules_exist(self, document):
        assert not sorted(
            name for name in set(MODULE.findall(code_of(document))) if not is_there(name)
        )

    def test_its_tests_exist(self, document):
        texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
        named = set(TEST.findall(code_of(document)))
        files = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
        assert not sorted(
            name
            for name in named - files
            if not any(re.search(rf"def {name}", text) for text in texts)
        )

    def test_its_flags_are_known(self, document):
        assert not sorted(set(FLAG.findall(code_of(document))) - known_flags() - OF_OTHERS)

    def test_its_links_lead_somewhere(self, document):
        links = LINK.findall(document.read_text(encoding="utf-8"))
        assert not [link for link in links if not (document.parent / link).exists()]


def sentences() -> str:
    """Every text in the program's source; what a sentence fills in is left out."""
    found = []
    for path in (ROOT / "cancernet").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = (
                    part.value if isinstance(part, ast.Constant) else "\0" for part in node.values
                )
                found.append("".join(map(str, parts)))
    return "\n".join(found)


def test_the_table_of_faults_quotes_what_the_program_says():
    text, unknown = sentences(), []
    for line in (ROOT / "docs" / "FAULTS.md").read_text(encoding="utf-8").splitlines():
        said = line.split("|")[3] if line.startswith("|") else ""
        for quoted in re.findall(r'"([^"]+)"', said):
            # What stands in brackets are the words of the operating system.
            for piece in re.split(r"…|\(.*?\)", quoted):
                if piece.strip(" ();:,.") not in text:
                    unknown.append(quoted)
    assert not unknown
