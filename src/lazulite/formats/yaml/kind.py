"""Which kind of thing a document describes: from `type`, else `$schema`, else its fields."""

from __future__ import annotations

from lazulite.domain.errors import LazuliteError
from lazulite.formats.yaml.section import Section

JOBS = ("command", "pipeline")
LATER = {
    "sweep": "sweep (hyperparameter search)",
    "parallel": "parallel",
    "spark": "Spark",
    "automl": "AutoML",
    "import": "data import",
    "fine_tuning": "fine-tuning",
    "finetuning": "fine-tuning",
    "distillation": "distillation",
    "data_transfer": "data transfer",
    "if_else": "if/else",
    "parallel_for": "parallel-for",
    "do_while": "do-while",
    "base": "base",
    "scope": "Scope",
}
_SCHEMAS = {
    "commandjob": "command",
    "pipelinejob": "pipeline",
    "sweepjob": "sweep",
    "sparkjob": "spark",
    "automljob": "automl",
    "paralleljob": "parallel",
    "importjob": "import",
    "commandcomponent": "command",
    "pipelinecomponent": "pipeline",
    "parallelcomponent": "parallel",
    "sparkcomponent": "spark",
    "importcomponent": "import",
    "datatransfercomponent": "data_transfer",
}
_ASSETS = ("data", "environment", "model", "workspace")  # schemas named as their nouns
_NOUNS = {
    "amlcompute": "compute",
    "computeinstance": "compute",
    "azureblob": "datastore",
    "azurefile": "datastore",
    "azuredatalakegen2": "datastore",
}
_TELLTALE = (  # the first field that is there decides; most telling first
    ("trial", "sweep"),
    ("sampling_algorithm", "sweep"),
    ("search_space", "sweep"),
    ("jobs", "pipeline"),
    ("input_data", "parallel"),
    ("mini_batch_size", "parallel"),
    ("condition", "if_else"),
    ("items", "parallel_for"),
    ("entry", "spark"),
    ("conf", "spark"),
    ("primary_metric", "automl"),
    ("training_data", "automl"),
    ("command", "command"),
    ("source", "import"),
)


def of_job(section: Section) -> str:
    """Return the kind of a job: one of `JOBS` or `LATER`."""
    return _of(section, "job", default=None)


def of_node(section: Section) -> str:
    """Return the kind of a node; `component` where only its component can tell."""
    return _of(section, "step", default="component" if "component" in section else None)


def of_component(section: Section) -> str:
    """Return the kind of a component."""
    return _of(section, "component", default=None)


def _of(section: Section, what: str, *, default: str | None) -> str:
    word = section.text("type")
    if word is not None:
        if word not in JOBS and word not in LATER:
            hint = section.hint(word, (*JOBS, *LATER))
            raise section.fail(f"'{word[:60]}' is not a kind of {what}{hint}", "type")
        return word
    found = _by_schema(section) or next((k for f, k in _TELLTALE if f in section), default)
    schema = _schema(section)
    if schema and schema not in _SCHEMAS and not schema.startswith("automl"):
        raise section.fail(
            f"'{schema}' is not a kind of {what} that Lazulite knows{_other(schema)}", "$schema"
        )
    if found is None:
        slip = section.slip("command") or section.slip("jobs") or section.slip("type")
        raise section.fail(
            f"does not say what kind of {what} it is: give it 'type', such as "
            f"'type: command' with a 'command', or 'type: pipeline' with 'jobs'{slip}"
        )
    return found


def _other(schema: str) -> str:
    """Return which command takes the file, if another one does."""
    noun = _NOUNS.get(schema, schema if schema in _ASSETS else None)
    return f"; for this file use `lazulite {noun} create`" if noun else ""


def _by_schema(section: Section) -> str | None:
    tail = _schema(section)
    if tail.startswith("automl"):
        return "automl"
    return _SCHEMAS.get(tail)


def _schema(section: Section) -> str:
    """Return `commandjob` for `https://.../latest/commandJob.schema.json`."""
    return (section.text("$schema") or "").rsplit("/", 1)[-1].split(".")[0].lower()


def refusal(section: Section, kind: str, what: str, error: type[LazuliteError]) -> LazuliteError:
    """Return the one sentence on a kind that Azure ML runs and this version does not."""
    sentence = f"{LATER.get(kind, kind)} {what}s are valid in Azure ML, but this version of "
    sentence += "Lazulite does not run them; it runs command and pipeline jobs"
    key = "type" if "type" in section else None
    return section.blame(error(sentence), key)
