"""All questions, or those named: the answers go to bench/results, and BENCHMARKS.md is made anew.

python bench/run.py --peers kafka,kafka-256m,mock,kfake
python bench/run.py start memory --peers kafka --rounds 3
"""

from importlib import import_module

import page
import plots
import question

if __name__ == "__main__":
    question.main(*(import_module(name).QUESTION for name in page.ORDER))
    page.write()
    plots.write()
