/** What does not hold in a queue that is spread over places, by the suite's titles. */
import { BOUND_LEASES_GO_ON } from './gaps.ts';

/** They look at the order of all messages, in a queue or a batch. */
const ONE_ORDER = [
  'G1 text comes back character by character',
  'G5 messages of one priority are leased in the order of sending',
  'G5 the higher priority is leased first, also in a batch of several',
  'G5 a delayed message takes the place of its sending once it is due',
  'G5 a released message keeps its priority',
  'G5 a higher priority than the queue has counts as its highest',
  'G6 a suspect that was not begun stays one',
  'G7 a moved message takes the last place in its target',
  'G11 of one group one message is held, the next in order follows',
  'limits: a group rate limit holds back its group, and no other message',
  'limits: what a group rate limit held back comes at its place again',
  'limits: a batch of one group spends of both rates',
  'limits: with many groups held back by their rate others still come',
  'G12 a place that was taken keeps its priority',
  'G12 what was passed over by a take and is replaced comes first',
  'G12 ids of keepLast and other deduplication ids do not meet',
  'ready messages are shown in the order of taking',
  'scheduled messages are shown in the order of their time',
  'leased messages are shown in the order of sending, with their leases',
  'a cursor stands where it stood though messages come and go',
  'limits: what a rate has let go is spent still (after a reopen)',
  'G12 with keepLast what waits is replaced still, what was leased is not (after a reopen)',
  'limits: what a rate has let go is spent still (after a crash)',
  'G12 with keepLast what waits is replaced still, what was leased is not (after a crash)',
];

/** They limit a queue to one message, or byte, or lease. */
const SMALL_LIMITS = [
  'G13 each item is answered for itself',
  'G13 an atomic batch with a refused item changes nothing',
  'a fan-out reaches all of its queues or none',
  'G8 a release is never refused for want of room',
  'G8 a move to a full queue changes nothing',
  'G13 each move is answered for itself',
  'limits: what maxInFlight holds back is not to be tried again by the clock',
  'limits: a lease counts towards maxInFlight until somebody decides',
  'limits: maxInFlight may change at any time',
  'limits: takes by id and sweeps neither heed nor spend a rate',
  'limits: a rate may change at any time, and keeps its tokens',
  'limits: until a rate is looked at by another limit it fills by the one before',
  'limits: a rate that is full is full under another limit',
  'G12 a refused send leaves no record',
  'G12 a duplicate is answered as such by a full queue',
  'G12 an evicted message is not replaced',
  'G8 G12 a full queue has room for a replacement that is no larger',
  'G12 G13 an atomic batch that is refused replaces nothing',
  'G12 G13 a fan-out that is refused replaces nothing',
  'G12 a refused send moves no fence',
  'G12 G13 an atomic batch that is refused moves no fence',
  'G8 a queue that refuses drops nothing to its dead letters',
  'G8 what is dropped goes to the dead letters, where there are some',
  'G2 G8 nothing is dropped when the dead letters have no room for it',
  'G8 where the dead letters count what waits, what is leased there takes no room',
  'G8 where a bound counts what waits, a move to a full queue changes nothing',
  'a refused fan-out drops nothing',
  'takers are told when a lease ends that kept others from going',
  'G1-G13 random histories look as in the memory driver',
  'G11 random histories of groups whose limits change look as in the memory driver',
];

/** They fill a queue to its limit and count, by another way than all places in turn. */
const ONE_LIMIT = [
  'G13 an atomic batch is stored whole',
  'limits: no more than maxInFlight are leased, whoever takes',
  'limits: leases by id count towards maxInFlight, and do not heed it',
  'limits: a batch of one group heeds maxInFlight',
  'limits: a rate limit lets its number go at once, then evenly',
  'limits: what a rate limit leaves unused gathers up to its number',
  'limits: a rate limit that does not divide evenly loses nothing',
  'limits: who got all that was asked for, or found nothing, need not wait for a rate',
  'limits: each delivery spends of the rate, one that was not begun too',
  'limits: both rates must let a message go, and both are spent',
  'limits: a rate holds back suspects like others',
  'G8 G12 drop-oldest makes room for what a replacement adds, not by dropping it',
  'G8 no more than maxBytes are stored, to the byte',
  'G8 a bound that shrank drops nothing, and rules new sends',
  'G8 drop-oldest drops the oldest ready one, whatever its priority',
  'G8 drop-oldest makes as much room as the message needs',
  'G8 a message that can never fit drops nothing',
  'G8 where a bound counts what waits, what is leased takes no room',
  'G8 where a bound counts the bytes that wait, what is leased takes no room',
  'G8 where a bound counts what waits, as much is dropped as waits too much',
  "G8 G11 dropping a group's head lets the group go on",
];

const HISTORIES = [
  'G1-G13 random histories look as in the memory driver',
  'G11 random histories of groups whose limits change look as in the memory driver',
];

function because(reason: string, titles: readonly string[]): [string, string][] {
  return titles.map((title) => [title, reason]);
}

export const SPREAD_GAPS: Readonly<Record<string, string>> = {
  ...BOUND_LEASES_GO_ON,
  ...Object.fromEntries([
    ...because('order and priorities hold within a place: tested there', ONE_ORDER),
    ...because('a limit is divided, so it must be at least as many as the places', SMALL_LIMITS),
    ...because('each place has its share of a limit: tested there', ONE_LIMIT),
    ...because('the model is one place', HISTORIES),
  ]),
  atomicDrops: 'a limit is divided, so it must be at least as many as the places',
};
