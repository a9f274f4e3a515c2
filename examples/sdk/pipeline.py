"""The pipeline of examples/diabetes, built and submitted with the official SDK."""

import argparse
from pathlib import Path

from azure.ai.ml import MLClient, dsl, load_component
from azure.identity import DefaultAzureCredential

DIABETES = Path(__file__).resolve().parent.parent / "diabetes"

prep = load_component(DIABETES / "prep" / "component.yml")
train = load_component(DIABETES / "train" / "component.yml")
evaluate = load_component(DIABETES / "evaluate" / "component.yml")
package = load_component(DIABETES / "package" / "component.yml")


@dsl.pipeline(name="diabetes", display_name="diabetes", default_compute="serverless")
def diabetes(test_share: float = 0.25, seed: int = 7):
    """Prepare the diabetes data, train two models, compare them, package the better one."""
    tables = prep(test_share=test_share, seed=seed)
    ridge = train(data=tables.outputs.train, kind="ridge")
    boosting = train(data=tables.outputs.train, kind="boosting", depth=2)
    comparison = evaluate(
        test=tables.outputs.test, first=ridge.outputs.model, second=boosting.outputs.model
    )
    packaged = package(
        metrics=comparison.outputs.metrics,
        first=ridge.outputs.model,
        second=boosting.outputs.model,
    )
    return {"metrics": comparison.outputs.metrics, "model": packaged.outputs.model}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plain", action="store_true", help="connect as a script for Azure does")
    parser.add_argument("--subscription", default="00000000-0000-0000-0000-000000000000")
    parser.add_argument("--resource-group", default="local")
    parser.add_argument("--workspace", default="default")
    parser.add_argument("--download", type=Path, help="folder for the packaged model")
    args = parser.parse_args()

    if args.plain:
        names = (args.subscription, args.resource_group, args.workspace)
        client = MLClient(DefaultAzureCredential(), *names)
    else:
        from lazulite import connect  # not needed on Azure

        client = connect()

    job = client.jobs.create_or_update(diabetes(), experiment_name="diabetes")
    client.jobs.stream(job.name)  # raises if the job fails
    print(f"{job.name} has completed")
    if args.download:
        client.jobs.download(job.name, download_path=args.download, output_name="model")


if __name__ == "__main__":
    main()
