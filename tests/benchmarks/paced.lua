-- The same as drive.lua, but each connection waits DELAY milliseconds between two requests: load that does not grow when
-- answers come sooner.
dofile(os.getenv("DRIVE"))

local pause = tonumber(os.getenv("DELAY"))

function delay()
  return pause
end
