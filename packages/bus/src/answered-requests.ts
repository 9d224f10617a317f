import { RequestOne } from '@nats-io/nats-core/internal';
import { errors } from '@nats-io/transport-node';

// Imported for its effect. The client cancels every request once it was answered, with an error of its own that nobody
// sees: to note where each was made takes a twentieth of ingest's time. They share one.

const CANCELLED = new errors.RequestError('cancelled');

RequestOne.prototype.cancel = function (error = CANCELLED) {
  this.timer.cancel();
  this.mux.cancel(this);
  this.deferred.reject(error);
};
