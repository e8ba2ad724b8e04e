import { expect, test } from "vitest";
import { pipelineProblems } from "../../test/support/pipeline-problems.ts";

const lake = (...options: readonly string[]): string => `source:
  type: postgres
  hostname: localhost
  username: app
  password: \${PASSWORD}
  tables: shop.public.\\.*
sink:
${["  type: parquet", ...options].join("\n")}
pipeline:
  name: shop
`;

const CASES: Record<string, readonly [string, ...string[]]> = {
  "no path": [lake(), "p.yaml:7:1: `path` is missing in `sink`"],
  "a bucket's name that is none": [
    lake("  path: s3://Shop_/x"),
    "p.yaml:9:9: `path` takes the path of a folder, or `s3://bucket/prefix`, not `s3://Shop_/x`",
  ],
  "another store's protocol, which is no folder": [
    lake("  path: gs://shop/lake"),
    "p.yaml:9:9: `path` takes the path of a folder, or `s3://bucket/prefix`, not `gs://shop/lake`",
  ],
  "a protocol in capitals": [
    lake("  path: S3://shop/lake"),
    "p.yaml:9:9: `path` takes the path of a folder, or `s3://bucket/prefix`, not `S3://shop/lake`",
  ],
  "a prefix that climbs": [
    lake("  path: s3://shop/a/../b"),
    "p.yaml:9:9: `path` has an empty part, or one of dots, behind its bucket",
  ],
  "a prefix with an empty part": [
    lake("  path: s3://shop//lake"),
    "p.yaml:9:9: `path` has an empty part, or one of dots, behind its bucket",
  ],
  "an endpoint of an impossible port": [
    lake("  path: s3://shop", "  s3.endpoint: http://localhost:99999"),
    "p.yaml:10:16: `s3.endpoint` is no URL",
  ],
  "an endpoint with a password in it, which is not repeated": [
    lake("  path: s3://shop", "  s3.endpoint: http://me:hunter2@localhost:9000"),
    "p.yaml:10:16: `s3.endpoint` takes no user and password: they go into `s3.access-key-id` and `s3.secret-access-key`",
  ],
  "an endpoint with a query": [
    lake("  path: s3://shop", "  s3.endpoint: http://localhost:9000/?x=1"),
    "p.yaml:10:16: `s3.endpoint` ends with its host, port and path: nothing behind a `?` or `#`",
  ],
  "an endpoint without a bucket": [
    lake("  path: ./lake", "  s3.endpoint: http://localhost:9000"),
    "p.yaml:10:16: `s3.endpoint` goes with a `path` of the form `s3://bucket/prefix`",
  ],
  "a key without its secret": [
    lake("  path: s3://shop", "  s3.access-key-id: me"),
    "p.yaml:10:21: `s3.access-key-id` needs `s3.secret-access-key`",
  ],
  "a secret that is a mapping": [
    lake("  path: s3://shop", "  s3.access-key-id: me", "  s3.secret-access-key: {a: hunter2}"),
    "p.yaml:11:25: `s3.secret-access-key` takes a text, not a mapping",
  ],
  "parts too small": [
    lake("  path: s3://shop", "  s3.part.size: 1MB"),
    "p.yaml:10:17: `s3.part.size` takes a size with its unit, like 64MB or 1GiB, at least 5MiB, not `1MB`",
  ],
  "a layout in which tables share a folder": [
    lake("  path: ./lake", "  layout: '{schema}'"),
    "p.yaml:10:12: `layout` takes a path with {schema} and {table} in it, like {schema}/{table}, not `{schema}`",
  ],
  "a compression nobody knows": [
    lake("  path: ./lake", "  compression: zst"),
    "p.yaml:10:16: `compression` takes `zstd`, `snappy` or `none`, not `zst`; did you mean `zstd`?",
  ],
  "a partition that is empty": [lake("  path: ./lake", "  partition.by: day,"), "p.yaml:10:17: a partition is empty"],
  "a partition of an unknown function": [
    lake("  path: ./lake", "  partition.by: week(created_at)"),
    "p.yaml:10:17: `week(created_at)` is no partition: `year`, `month`, `day` or `hour`, with a column in parentheses or without, or a column's name",
  ],
  "a partition's table pattern with three parts": [
    lake("  path: ./lake", "  partition.by: {a.b.c: day}"),
    "p.yaml:10:25: a table pattern has two parts, schema.table, not 3 (write the dot of a regular expression as \\.)",
  ],
};

test.each(Object.entries(CASES))("%s", (_name, [text, ...expected]) => {
  expect(pipelineProblems(text)).toEqual(expected);
});
