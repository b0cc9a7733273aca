// A reporter for node's test runner: one JSON object a line for each test that begins or ends.
import { inspect } from 'node:util'

export default async function * (source) {
  for await (const { type, data } of source) {
    if (type !== 'test:start' && type !== 'test:pass' && type !== 'test:fail') continue
    const line = { type, name: data.name, nesting: data.nesting, skip: data.skip, todo: data.todo }
    const error = data.details?.error
    if (error) {
      const cause = error.cause ?? error
      line.error = String(cause?.message ?? cause)
      line.stack = typeof cause === 'object' ? inspect(cause, { depth: 4 }) : String(cause)
    }
    line.milliseconds = data.details?.duration_ms
    yield JSON.stringify(line) + '\n'
  }
}
