import type { Commands } from "./connection.ts";

/**
 * What changes a pipeline's keys, each as one script, which Redis runs as a whole or not at all. Their first line lets the
 * server refuse a script before it begins where it could not finish it: out of memory, a replica.
 *
 * A pipeline's keys, all in one slot of a cluster by the tag in braces:
 *
 * - `millrace:{pipeline}:head`, a hash: `format`, `token`, `epoch`, `write` (the id of the write that made it so),
 *   `generation` (which of the two below count), `parts` (how many there are), `before-epoch` and `before-token` (of the
 *   epoch that `undo` leads back to; none before the first).
 * - `millrace:{pipeline}:parts:<generation>`, a hash: the record's parts, as JSON.
 * - `millrace:{pipeline}:undo:<generation>`, a hash: of the parts that the newest epoch changed, `=` and the JSON before, or
 *   `-` where there was none.
 * - `millrace:{pipeline}:staged:<write>`, a hash that expires: the parts of a write too large for one command.
 * - `millrace:{pipeline}:holder`, which expires: who has the store open.
 *
 * Every write is a compare-and-set on token, epoch and generation. One that is repeated because its answer was lost finds its
 * own id in `write`, and is done.
 */
const SHEBANG = "#!lua\n";
const TAKE_HEAD = `
local head = redis.call('HMGET', KEYS[1], 'token', 'epoch', 'generation', 'write')
local token = tonumber(head[1])
if head[1] and not token then return {'damaged'} end
`;

/**
 * Puts one epoch. KEYS: head, parts, undo, staged. ARGV: token, epoch, generation, write, format, `1` where the store was
 * empty, the number of staged parts, then key and value of each part that comes along; a value is `=` and JSON, or `-` to
 * take the part away. Returns `done`, `fenced` and the token, `lost` (what this run had put is not there), or `unstaged`.
 */
export const PUT: string = `${SHEBANG}${TAKE_HEAD}
local epoch = tonumber(ARGV[2])
if head[4] == ARGV[4] then return {'done'} end
if token and token > tonumber(ARGV[1]) then return {'fenced', head[1]} end
local known = token and tonumber(head[2]) == epoch - 1 and head[3] == ARGV[3]
if not (known or (not token and ARGV[6] == '1')) then return {'lost', head[2] or ''} end
local staged = redis.call('HGETALL', KEYS[4])
if #staged ~= 2 * tonumber(ARGV[7]) then return {'unstaged'} end
redis.call('DEL', KEYS[3])
local function set(key, value)
  local before = redis.call('HGET', KEYS[2], key)
  redis.call('HSET', KEYS[3], key, before and '=' .. before or '-')
  if value == '-' then redis.call('HDEL', KEYS[2], key)
  else redis.call('HSET', KEYS[2], key, string.sub(value, 2)) end
end
for i = 1, #staged, 2 do set(staged[i], staged[i + 1]) end
for i = 8, #ARGV, 2 do set(ARGV[i], ARGV[i + 1]) end
redis.call('DEL', KEYS[4])
redis.call('HSET', KEYS[1], 'format', ARGV[5], 'token', ARGV[1], 'epoch', ARGV[2], 'generation', ARGV[3],
  'write', ARGV[4], 'parts', redis.call('HLEN', KEYS[2]),
  'before-epoch', head[2] or '', 'before-token', head[1] or '')
return {'done'}
`;

/**
 * Claims a store whose record is the one that the run begins with. KEYS: head, undo. ARGV: token, epoch, generation, write.
 * Returns as `PUT`.
 */
export const CLAIM: string = `${SHEBANG}${TAKE_HEAD}
if head[4] == ARGV[4] then return {'done'} end
if token and token >= tonumber(ARGV[1]) then return {'fenced', head[1]} end
if head[2] ~= ARGV[2] or head[3] ~= ARGV[3] then return {'lost', head[2] or ''} end
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'write', ARGV[4], 'before-epoch', ARGV[2], 'before-token', ARGV[1])
redis.call('DEL', KEYS[2])
return {'done'}
`;

/**
 * Begins a generation with the staged parts. KEYS: head, staged, the new generation's parts, the old one's parts and undo.
 * ARGV: token, epoch, the new generation (which is the write's id), the old one or nothing, format, the number of parts, `1`
 * where what is damaged counts as nothing. Returns as `PUT`.
 */
export const REPLACE: string = `${SHEBANG}
if ARGV[7] == '1' then
  local isHead = redis.call('TYPE', KEYS[1]).ok == 'hash'
  if not (isHead and redis.call('HGET', KEYS[1], 'write') == ARGV[3]) then redis.call('DEL', KEYS[1]) end
end
${TAKE_HEAD}
if head[4] == ARGV[3] then return {'done'} end
if token and token >= tonumber(ARGV[1]) then return {'fenced', head[1]} end
if token and head[3] ~= ARGV[4] then return {'lost', head[2] or ''} end
local count = tonumber(ARGV[6])
if redis.call('HLEN', KEYS[2]) ~= count then return {'unstaged'} end
redis.call('HSET', KEYS[1], 'format', ARGV[5], 'token', ARGV[1], 'epoch', ARGV[2], 'generation', ARGV[3],
  'write', ARGV[3], 'parts', ARGV[6], 'before-epoch', ARGV[2], 'before-token', ARGV[1])
if count > 0 then
  redis.call('RENAME', KEYS[2], KEYS[3])
  redis.call('PERSIST', KEYS[3])
end
redis.call('UNLINK', KEYS[4], KEYS[5])
return {'done'}
`;

/**
 * Takes the store for a process. KEYS: holder. ARGV: who wants it, for how many milliseconds, and the holder that may be
 * put aside, or nothing, or `*` for any. Returns `taken`, or `held` with the holder and how many milliseconds it has left.
 */
export const TAKE: string = `${SHEBANG}
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] and holder ~= ARGV[3] and ARGV[3] ~= '*' then
  return {'held', holder, tostring(redis.call('PTTL', KEYS[1]))}
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {'taken'}
`;

/** Fences off whoever has the store under the token that it has. KEYS: head. */
export const FENCE: string = `${SHEBANG}
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HINCRBY', KEYS[1], 'token', 1) end
return {'done'}
`;

/** KEYS: holder. ARGV: who has it. */
export const RELEASE: string = `${SHEBANG}
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return {'done'}
`;

/** Runs one of them. Returns its answer and what comes with it. */
export async function runScript(
  client: Commands,
  script: string,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<readonly [string, ...string[]]> {
  return (await client.eval(script, keys.length, ...keys, ...args)) as [string, ...string[]];
}
