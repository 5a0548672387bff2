"""From shards to batches: selection, two readers of one format, and the way to the devices.

A data specification (`selection`) names shards. Training streams them through tf.data (`pipeline`);
evaluation reads them whole and without TensorFlow (`reader`). Both give the same `batch.Batch`.
"""
