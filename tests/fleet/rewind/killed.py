"""Restores the cell to a moment and waits to be killed: `python -m tests.fleet.rewind.killed MOMENT`."""

import sys
import time
from datetime import datetime

from emr.fleet.rewind.opening import backup_before, settle_log
from emr.fleet.rewind.restored import Source, restored
from emr.settings import Settings

if __name__ == "__main__":
    settings, moment = Settings(), datetime.fromisoformat(sys.argv[1])
    settle_log(settings, "default", moment)
    with restored(settings, Source("default", backup_before(settings, "default", moment), moment), lambda _: None):
        print("stands", flush=True)
        time.sleep(60)
