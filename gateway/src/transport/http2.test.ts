import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { refuseConnect } from './extended-connect.ts';
import { Seats } from './seats.ts';
import { parseSubprotocols } from './subprotocol.ts';

describe('an extended CONNECT', () => {
  const rules = {
    paths: new Set(['/connection/websocket']),
    allowedOrigins: new Set(['https://app.example']),
  };
  const request = {
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': '/connection/websocket?x=1',
    'sec-websocket-version': '13',
  };
  for (const [what, status, changes] of [
    ['is taken', undefined, {}],
    ['from an allowed origin is taken', undefined, { origin: 'https://APP.example' }],
    ['with subprotocols is taken', undefined, { 'sec-websocket-protocol': 'a, centrifuge-json' }],
    ['to another path is refused', 404, { ':path': '/other' }],
    ['that is a GET is refused', 405, { ':method': 'GET', ':protocol': undefined }],
    ['without a protocol is refused', 400, { ':protocol': undefined, ':path': undefined }],
    ['for another protocol is refused', 501, { ':protocol': 'connect-udp' }],
    ['of another version is refused', 400, { 'sec-websocket-version': '12' }],
    ['without a version is refused', 400, { 'sec-websocket-version': undefined }],
    ['with a length is refused', 400, { 'content-length': '5' }],
    ['that names a subprotocol twice is refused', 400, { 'sec-websocket-protocol': 'a,a' }],
    ['from another origin is refused', 403, { origin: 'https://evil.example' }],
  ] as const) {
    it(what, () => assert.equal(refuseConnect({ ...request, ...changes }, rules)?.status, status));
  }

  it('is told the version that we speak', () => {
    const refusal = refuseConnect({ ...request, 'sec-websocket-version': '8' }, rules);
    assert.deepEqual(refusal?.headers, { 'sec-websocket-version': '13' });
  });
});

describe('subprotocols', () => {
  it('are read as a list of different tokens', () => {
    const list = (header?: string) => parseSubprotocols(header) && [...(parseSubprotocols(header) ?? [])];
    assert.deepEqual(list(), []);
    assert.deepEqual(list('a,b ,\tc'), ['a', 'b', 'c']);
    for (const broken of ['', 'a,', 'a b', 'a,(b)', 'a, a']) assert.equal(list(broken), undefined, broken);
  });
});

describe('seats', () => {
  const limits = { connections: 10, handshakes: 3 };

  it('let in no more sockets than may shake hands at once', () => {
    const seats = new Seats(limits);
    assert.equal(seats.socketLimit, 3);
    assert.equal(seats.refusal, 'busy');
    for (let i = 0; i < 8; i++) assert.ok(seats.sit());
    assert.equal(seats.socketLimit, 10);
    assert.equal(seats.refusal, 'refused');
  });

  it('count the further WebSockets of a socket', () => {
    const seats = new Seats(limits);
    for (let i = 0; i < 4; i++) assert.ok(seats.sit());
    for (let i = 0; i < 6; i++) assert.ok(seats.sitFurther());
    assert.equal(seats.sitFurther(), false);
    assert.equal(seats.sit(), false, 'a handshake that ends now comes too late');
    assert.equal(seats.socketLimit, 4);
    seats.leaveFurther();
    assert.equal(seats.socketLimit, 5);
    assert.ok(seats.sit());
  });

  it('are never more than there may be, and the limit of sockets is never 0', () => {
    const steps = fc.array(fc.constantFrom('sit', 'leave', 'sitFurther', 'leaveFurther'), { maxLength: 200 });
    fc.assert(
      fc.property(steps, (all) => {
        const seats = new Seats(limits);
        let sockets = 0;
        let further = 0;
        for (const step of all) {
          if (step === 'sit' && seats.sit()) sockets += 1;
          // A further one needs a socket, and ends with it.
          if (step === 'sitFurther' && sockets > 0 && seats.sitFurther()) further += 1;
          if (step === 'leaveFurther' && further > 0) {
            seats.leaveFurther();
            further -= 1;
          }
          if (step === 'leave' && sockets > (further > 0 ? 1 : 0)) {
            seats.leave();
            sockets -= 1;
          }
          assert.ok(sockets + further <= limits.connections);
          assert.ok(seats.socketLimit >= 1, 'some servers take 0 for no limit');
          assert.ok(seats.socketLimit <= limits.connections - further);
        }
      }),
    );
  });
});
