"""What the server that forks tests' processes loads once, so that none of them has to.

Loaded objects are left alone by the garbage collector: a fork that looked through them would copy their pages.
"""

# ruff: noqa: F401
import gc

import uvicorn.lifespan.off
import uvicorn.protocols.http.auto
import uvicorn.protocols.websockets.auto

import tests.administration.test_onboarding
import tests.fleet.cells.test_move
import tests.fleet.test_applying
import tests.fleet.test_requests
import tests.warehouse.world

gc.collect()
gc.freeze()
