"""Search hyperparameters on a Dask cluster: how a search outgrows one machine.

The same GridSearchCV that runs in the processes of one machine runs on a cluster when joblib's backend is Dask.
Here the cluster is two workers on this machine; give the address of a real one with --scheduler.

    pip install "microgradnd[train]" distributed
    python examples/search_on_a_cluster.py [--scheduler tcp://host:8786]
"""

import argparse
import contextlib

import joblib
from distributed import Client, LocalCluster
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from microgradnd import nn

GRID = {
    "mlpclassifier__hidden_layer_sizes": [(10,), (64,)],
    "mlpclassifier__learning_rate_init": [1e-3, 1e-2],
}


def search(X, y):
    """The grid search, wherever joblib runs it."""
    pipeline = make_pipeline(MinMaxScaler(), nn.MLPClassifier(max_iter=10, random_state=0))
    return GridSearchCV(pipeline, GRID, cv=3, n_jobs=-1).fit(X, y)


def main(scheduler):
    with contextlib.ExitStack() as stack:
        if scheduler is None:
            scheduler = stack.enter_context(LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None))
        client = stack.enter_context(Client(scheduler))
        print(f"{len(client.scheduler_info()['workers'])} workers")
        with joblib.parallel_backend("dask"):
            found = search(*load_digits(return_X_y=True))
    for settings, score in zip(found.cv_results_["params"], found.cv_results_["mean_test_score"], strict=True):
        print(f"{score:.3f}  {settings}")
    print(f"best: {found.best_params_}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scheduler", default=None)
    main(**vars(parser.parse_args()))
