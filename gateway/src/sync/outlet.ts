/** A stream's way out over each transport. */
import type { Exchange, MessageSocket, Output } from '../transport/index.ts';
import { dataFrame } from './grpc-web.ts';
import type { Encoding } from './grpc-web.ts';
import { encodeResponse, responseToJson } from './message.ts';
import type { Outlet } from './stream.ts';

/** Messages in Protobuf, framed. */
export function grpcWebOutlet(exchange: Exchange, encoding: Encoding): Outlet {
  return outletOf(exchange, `grpc-web ${encoding}`, (response) =>
    dataFrame(encodeResponse(response), encoding),
  );
}

/** Messages in JSON, each a text frame. */
export function webSocketOutlet(socket: MessageSocket, textFrame: (text: string) => Buffer): Outlet {
  return outletOf(socket, 'websocket', (response) => textFrame(responseToJson(response)));
}

function outletOf(output: Output, form: string, encode: Outlet['encode']): Outlet {
  return {
    form,
    encode,
    get waiting() {
      return output.waiting;
    },
    get closed() {
      return output.closed;
    },
    drained: () => output.drained(),
    write: (bytes) => output.write(bytes),
  };
}
