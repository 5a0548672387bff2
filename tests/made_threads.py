"""Threads in the place of the processes of a run."""

import threading

from coreecg_jax.inputs.together import Processes

SECONDS = 30  # one that waits so long waits for ever


def together(count, work):
    """What `work` gives or raises for each of `count` processes, in their order."""
    barrier, said, results = threading.Barrier(count), [""] * count, [None] * count

    def texts_of(number):
        def texts(text):
            said[number] = text
            barrier.wait(SECONDS)
            heard = list(said)
            barrier.wait(SECONDS)  # before any says the next
            return heard

        return texts

    def run(number):
        try:
            results[number] = work(Processes(number, count, texts_of(number)))
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
