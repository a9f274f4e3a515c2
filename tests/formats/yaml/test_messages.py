"""What a person reads when a document is wrong: file, line, field, cause, nearest word."""

import pytest

from lazulite.domain.errors import InvalidInput, Unsupported
from tests.formats.yaml.disk import Disk, plan
from tests.formats.yaml.test_pipeline_job import PIPELINE, disk

WRONG = [
    (
        "jobs.prep.inputs.shar=1",
        ("x.yml:19: jobs.prep.inputs.shar: the component has no input 'shar'; "
        "did you mean 'share'?"),
    ),
    (
        "jobs.prep.inputs.share=lots",
        "x.yml:20: jobs.prep.inputs.share: 'lots' is not of type number",
    ),
    (
        "jobs.prep.inputs.share=3",
        "x.yml:20: jobs.prep.inputs.share: 3 is above the greatest allowed value 1",
    ),
    (
        "jobs.prep.inputs.kind=fany",
        ("x.yml:19: jobs.prep.inputs.kind: 'fany' is not among the allowed values; "
        "did you mean 'fancy'?"),
    ),
    (
        "jobs.prep.inputs.raw=",
        "x.yml:18: jobs.prep.inputs: needs the input 'raw' (uri_folder) of its component",
    ),
    (
        "jobs.prep.inputs.raw=${{parent.inputs.rww}}",
        ("x.yml:19: jobs.prep.inputs.raw: 'rww' is no input of the pipeline; "
        "there are: raw, share"),
    ),
    (
        "jobs.score.inputs.model=${{parent.jobs.trian.outputs.model}}",
        ("x.yml:34: jobs.score.inputs.model: 'trian' is no step of the pipeline; "
        "did you mean 'train'?"),
    ),
    (
        "jobs.score.inputs.model=${{parent.jobs.train.outputs.modl}}",
        ("x.yml:34: jobs.score.inputs.model: 'modl' is no output of step 'train'; "
        "did you mean 'model'?"),
    ),
    (
        "jobs.train.command=${{inputs.dta}}",
        ("x.yml:26: jobs.train.command: '${{inputs.dta}}' names nothing declared; "
        "did you mean 'inputs.data'?"),
    ),
    (
        "jobs.prep.component=steps/perp.yml",
        ("x.yml:16: jobs.prep.component: the file 'steps/perp.yml' cannot be read: "
        "No such file or directory"),
    ),
    (
        "inputs.raw.path=nowhere",
        "x.yml:5: inputs.raw.path: 'nowhere' does not exist (looked at /here/nowhere)",
    ),
    ("settings.force_rerun=often", ("x.yml:13: settings.force_rerun: must be true or false, "
     "not 'often'")),
    ("type=pipline", "x.yml:3: type: 'pipline' is not a kind of job; did you mean 'pipeline'?"),
    ("jobs.train.resources.instance_count=0", ("x.yml:25: jobs.train.resources.instance_count: "
     "must be at least 1, not 0")),
    ("jobs.train=3", ("x.yml:24: jobs.train: must be a step: a mapping with 'component' or "
     "'command', not 3")),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_a_mistake_is_named_with_its_place(change: str, message: str) -> None:
    with pytest.raises(InvalidInput) as error:
        plan(PIPELINE, change, disk=disk())
    assert error.value.message == message
    assert message.split(": ")[1].startswith(str(error.value.path))


def test_a_mistake_in_a_component_names_the_components_file() -> None:
    files = disk()
    files.put("steps/prep.yml", files.files[next(p for p in files.files if p.name == "prep.yml")]
              .replace("type: number", "type: nubmer"))  # fmt: skip
    with pytest.raises(InvalidInput, match=r"^steps/prep.yml:10: inputs.share.type: 'nubmer' is "):
        plan(PIPELINE, disk=files)


def test_an_unknown_field_is_a_warning_with_the_nearest_word() -> None:
    text = "type: pipeline\njobs: {a: {command: b, environment: azureml:e:1}}\n"
    made = plan(text + "settings:\n  default_datestore: azureml:x\n")
    assert made.warnings == (
        (
            "x.yml:4: settings.default_datestore: is not a known field and is ignored; "
            "did you mean 'default_datastore'?"
        ),
    )


@pytest.mark.parametrize(
    "text",
    [
        "type: sweep\ntrial: {}",
        "trial: {}\nsearch_space: {}",
        "$schema: https://azuremlschemas.azureedge.net/latest/sparkJob.schema.json\ncode: a",
        "type: automl\ntask: regression",
        "type: parallel",
        "type: import",
        "type: data_transfer",
        "type: fine_tuning",
        "type: pipeline\njobs: {a: {type: sweep}}",
        "type: pipeline\njobs: {a: {type: parallel}}",
        "type: pipeline\njobs: {a: {type: if_else, condition: x}}",
        "type: pipeline\njobs: {a: {type: parallel_for, items: []}}",
        "type: pipeline\njobs: {a: {component: {type: spark, entry: {}}}}",
    ],
)
def test_a_kind_that_is_not_run_yet_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(Unsupported) as error:
        plan(text)
    assert "valid in Azure ML, but this version of Lazulite does not run them" in str(error.value)
    assert "\n" not in error.value.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("display_name: x", "does not say what kind of job it is"),
        ("comand: x", "; is 'comand' on line 1 meant?"),
        (
            "$schema: https://azuremlschemas.azureedge.net/latest/batchEndpoint.schema.json",
            "'batchendpoint' is not a kind of job",
        ),
        (
            "$schema: https://azuremlschemas.azureedge.net/latest/data.schema.json\npath: a",
            "'data' is not a kind of job that Lazulite knows; for this file use `lazulite data",
        ),
        ("command: a", "needs 'environment'"),
        ("command: a\nenvironmnt: azureml:e:1", "; is 'environmnt' on line 2 meant?"),
        ("command: a\nenvironment: {conda_file: c.yml}", "the file 'c.yml' cannot be read"),
        ("command: a\nenvironment: {}", "needs 'image', 'conda_file' or 'build'"),
        ("command: a\nenvironment: azureml:e:1\ncode: src", "the code folder 'src' does not"),
        ("command: a\nenvironment: azureml:e:1\ncode: git+https://x/y", "clone it"),
        ("command: a\nenvironment: azureml:e:1\noutputs: {o: {path: out}}", "place on a datastore"),
        ("command: a\nenvironment: azureml:data:x:1/2//", "does not name an asset"),
        ("type: pipeline", "needs 'jobs'"),
        ("type: pipeline\njobs: {a: {type: pipeline}}", "needs 'component'"),
        ("type: pipeline\njobs: {a/b: {command: c}}", "step name 'a/b' is not valid"),
        ("type: pipeline\njobs: {a: {component: x.yml, command: c}}", "stands beside 'component'"),
        ("[1, 2]", "must be a mapping"),
        ("", "must be a mapping"),
    ],
)
def test_each_refusal_says_what_to_do(text: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=r"x\.yml") as error:
        plan(text)
    assert words in error.value.message


def test_a_component_that_contains_itself_is_refused() -> None:
    loop = "type: pipeline\nname: loop\njobs: {a: {component: loop.yml}}\n"
    with pytest.raises(InvalidInput, match=r"'loop\.yml' contains itself"):
        plan("type: pipeline\njobs: {a: {component: loop.yml}}", disk=Disk(**{"loop.yml": loop}))


def test_a_file_given_as_a_folder_is_refused() -> None:
    text = "command: a ${{inputs.x}}\nenvironment: azureml:e:1\ninputs: {x: {type: %s, path: %s}}\n"
    files = Disk(data__a="1")
    with pytest.raises(InvalidInput, match="is a file; use type uri_file"):
        plan(text % ("uri_folder", "data/a"), disk=files)
    with pytest.raises(InvalidInput, match="is a folder; use type uri_folder"):
        plan(text % ("uri_file", "data"), disk=files)


def test_a_field_the_server_blames_is_found_in_the_document() -> None:
    made = plan(PIPELINE, disk=disk())
    assert made.locate("jobs.prep.inputs.share") == "x.yml:20"
    assert made.locate("properties.jobs.prep.nothing") == "x.yml:15"
    assert made.locate("nothing") is None


@pytest.mark.parametrize("bound", ["min", "max"])
def test_the_range_of_an_input_is_of_numbers(bound: str) -> None:
    declared = f"{{type: number, default: 1, {bound}: 0.1.0}}"
    text = (
        f"type: command\nname: c\ncommand: a\nenvironment: azureml:e:1\ninputs: {{n: {declared}}}"
    )
    with pytest.raises(InvalidInput, match=rf"inputs\.n\.{bound}: '0\.1\.0' is not a number"):
        plan(text, noun="component")
