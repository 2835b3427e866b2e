import assert from 'node:assert/strict';

/** One metric of a page in Prometheus' text format. */
export interface Family {
  readonly type: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
};

/**
 * Reads a page as strictly as `promtool check metrics` does: HELP and TYPE once and before the
 * samples, no series twice, counters that end in `_total`, histograms that are whole and cumulative.
 */
export function parseMetrics(text: string): Map<string, Family> {
  assert.ok(text.endsWith('\n'), 'the last line must end');
  const families = new Map<string, { type: string; help: string; samples: Sample[] }>();
  const series = new Set<string>();
  let current = '';
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (keyword === 'HELP') {
      assert.ok(NAME.test(name) && !families.has(name), line);
      families.set(name, { type: 'untyped', help: rest, samples: [] });
      current = name;
      continue;
    }
    if (keyword === 'TYPE') {
      const family = families.get(name);
      assert.ok(name === current && family?.samples.length === 0, line);
      assert.match(rest, /^(counter|gauge|histogram|summary)$/);
      family.type = rest;
      continue;
    }
    assert.ok(!line.startsWith('#'), line);
    const sample = parseSample(line);
    const family = families.get(current);
    assert.ok(family !== undefined, line);
    const suffixes = SUFFIXES[family.type] ?? [''];
    assert.ok(
      suffixes.some((suffix) => sample.name === current + suffix),
      `${line} is not of ${current}`,
    );
    const key = JSON.stringify([
      sample.name,
      Object.entries(sample.labels).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    ]);
    assert.ok(!series.has(key), `${line} is there twice`);
    series.add(key);
    family.samples.push(sample);
  }
  for (const [name, family] of families) checkFamily(name, family);
  return families;
}

function parseSample(line: string): Sample {
  const [, name, labels = '', number] = SAMPLE.exec(line) ?? [];
  assert.ok(name !== undefined && number !== undefined, line);
  const value = number === '+Inf' ? Infinity : Number(number);
  assert.ok(!Number.isNaN(value) || /^nan$/i.test(number), line);
  const found: Record<string, string> = {};
  LABEL.lastIndex = 0;
  let read = 0;
  for (let match = LABEL.exec(labels); match !== null; match = LABEL.exec(labels)) {
    const [all, label = '', text = ''] = match;
    assert.ok(!(label in found), line);
    found[label] = text.replaceAll(/\\(.)/g, (_, one: string) => (one === 'n' ? '\n' : one));
    read += all.length;
    if (read === labels.length) break;
  }
  assert.equal(read, labels.length, `the labels of ${line}`);
  return { name, labels: found, value };
}

function checkFamily(name: string, { type, help, samples }: Family): void {
  assert.ok(help.length > 5, `${name} says nothing of itself`);
  if (type === 'counter') {
    assert.match(name, /_total$/);
    for (const { value } of samples) assert.ok(value >= 0, name);
  }
  // Those that prom-client makes itself have names of their own.
  if (type === 'gauge' && name.startsWith('wherry_'))
    assert.doesNotMatch(name, /_(total|count|sum|bucket)$/);
  if (type !== 'histogram') return;
  const counts = samples.filter((sample) => sample.name === `${name}_count`);
  for (const { labels, value } of counts) {
    const buckets = samples.filter(
      (sample) =>
        sample.name === `${name}_bucket` &&
        Object.entries(labels).every(([label, text]) => sample.labels[label] === text),
    );
    const values = buckets.map((bucket) => bucket.value);
    assert.deepEqual(
      values,
      values.toSorted((a, b) => a - b),
      `${name} is not cumulative`,
    );
    assert.equal(buckets.at(-1)?.labels['le'], '+Inf');
    assert.equal(values.at(-1), value);
  }
}
