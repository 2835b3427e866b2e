import type { Findings } from './findings.ts';
import { type Audit, type Delivery, type Model, specOf } from './model.ts';

/** Nothing altered, counts that agree, bounds kept, nothing left over: see `RULES`. */
export function checkContents(model: Model, findings: Findings): void {
  for (const delivery of model.deliveries) checkUnaltered(delivery, findings);
  for (const audit of model.audits) checkCounts(model, audit, findings);
  const final = model.audits.at(-1);
  if (final !== undefined) checkDrained(final, findings);
}

function checkUnaltered(delivery: Delivery, findings: Findings): void {
  const { bodyHash, priority, group } = specOf(delivery.copy);
  const differing = [
    delivery.bodyHash === bodyHash ? [] : ['body, headers or properties'],
    delivery.priority === priority ? [] : [`priority ${delivery.priority} for ${priority}`],
    delivery.group === group ? [] : [`group ${delivery.group} for ${group}`],
  ].flat();
  if (differing.length === 0) return;
  const detail = `${delivery.id} came out of ${delivery.queue} with another ${differing.join(', ')}`;
  findings.add('altered', delivery.key, delivery.t, detail);
}

function checkCounts(model: Model, audit: Audit, findings: Findings): void {
  for (const [queue, { messages, ready, scheduled, leased, bytes }] of Object.entries(
    audit.queues,
  )) {
    const total = ready + scheduled + leased;
    const maxSize = model.rules.get(queue)?.maxSize ?? Infinity;
    if (total > maxSize) {
      findings.add('max-size', queue, audit.t, `it holds ${total}; its maxSize is ${maxSize}`);
    }
    if (!audit.stable) continue;
    const seen = { ready: 0, scheduled: 0, leased: 0 };
    for (const { state } of messages) seen[state] += 1;
    const counted = JSON.stringify({ ready, scheduled, leased });
    if (counted !== JSON.stringify(seen)) {
      findings.add('counts', queue, audit.t, `counts ${counted}, found ${JSON.stringify(seen)}`);
    }
    if (total === 0 && bytes !== 0) {
      findings.add('counts', queue, audit.t, `it is empty, and ${bytes} bytes large`);
    }
  }
}

function checkDrained(final: Audit, findings: Findings): void {
  for (const [queue, { messages }] of Object.entries(final.queues)) {
    for (const { id, key, state } of messages) {
      findings.add('stuck', key, final.t, `${id} was left in ${queue}, ${state}`);
    }
  }
}
