from made_runs import made_batch, tiny_experiment

from coreecg_jax.training.overfit import overfit


def test_one_batch_under_one_mask_is_learned():
    experiment = tiny_experiment(
        {"model.depth": 1, "run.steps": 400, "optimizer.warmup_steps": 5, "optimizer.learning_rate": 3e-3}
    )
    batch = made_batch(0)
    curve = overfit(experiment.objective, experiment.optimizer, batch, seed=0, steps=30, every=15)
    assert [step for step, _ in curve] == [0, 15, 30]
    first, *_, last = (metrics for _, metrics in curve)
    assert last["contrastive"] < 0.5 * first["contrastive"]
    assert last["reconstruction"] < first["reconstruction"]
    assert last["explained_variance"] > first["explained_variance"]
