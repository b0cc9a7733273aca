'use strict'
// Loaded before each test file of `node --test`: says which file it is, and runs nothing.
if (process.env.NODE_TEST_CONTEXT && process.env.CROSSFLEET_LIST && process.argv[1]) {
  const path = require('node:path')
  const name = path.relative(process.cwd(), process.argv[1])
  require('node:fs').appendFileSync(process.env.CROSSFLEET_LIST, JSON.stringify(name) + '\n')
  process.exit(0)
}
