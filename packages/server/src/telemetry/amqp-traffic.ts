/** What clients of AMQP have sent and got since the broker was started: plain numbers, counted on the way. */
export class AmqpTraffic {
  /** Messages that clients sent, whether or not they reached a queue. */
  published = 0;
  /** Confirms of messages that are stored, or reached no queue. */
  confirmed = 0;
  /** Mandatory messages that reached no queue. */
  returned = 0;
  /** Messages handed to clients, redeliveries and replies included. */
  delivered = 0;
}
