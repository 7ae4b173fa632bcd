"""One training loop for every pretext task of every modality."""

from sslcourse.devices import best_device, budget
from sslcourse.training.loop import History, pretrain, step
from sslcourse.training.parallel import gather
from sslcourse.training.task import PretextTask, channels

__all__ = ["History", "PretextTask", "best_device", "budget", "channels", "gather", "pretrain", "step"]
