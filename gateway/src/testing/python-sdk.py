"""A client of the gateway with the unchanged SDK `centrifuge-python`, in the form that is asked for.

Arguments: URL, file of the authority, token, "json" or "protobuf", channel. Subscribes, publishes three numbers, asks for the
history, and writes what happens as lines of JSON, until its standard input ends.
"""
import asyncio
import json
import ssl
import sys

from centrifuge import CentrifugeError, Client, ClientEventHandler, SubscriptionEventHandler

url, authority, token, form, channel = sys.argv[1:]
protobuf = form == "protobuf"


def say(event, **members):
    print(json.dumps({"event": event, **members}), flush=True)


def encode(value):
    return json.dumps(value).encode() if protobuf else value


def decode(data):
    return json.loads(data) if protobuf else data


class Connection(ClientEventHandler):
    async def on_connecting(self, ctx):
        say("connecting", code=int(ctx.code))

    async def on_connected(self, ctx):
        say("connected")

    async def on_disconnected(self, ctx):
        say("disconnected", code=int(ctx.code))


class Subscription(SubscriptionEventHandler):
    async def on_subscribed(self, ctx):
        say("subscribed", recovered=ctx.recovered, was_recovering=ctx.was_recovering)

    async def on_publication(self, ctx):
        user = ctx.pub.info.user if ctx.pub.info else None
        say("publication", data=decode(ctx.pub.data), offset=ctx.pub.offset, user=user)


async def publish(client, value):
    """Tries again while the gateway says that it may work later: Kafka may still be on its way."""
    for _ in range(100):
        try:
            return await client.publish(channel, encode(value))
        except CentrifugeError as error:
            problem = error
            await asyncio.sleep(0.1)
    raise problem


async def main():
    client = Client(
        url,
        events=Connection(),
        token=token,
        use_protobuf=protobuf,
        min_reconnect_delay=0.05,
        max_reconnect_delay=0.5,
        ssl_context=ssl.create_default_context(cafile=authority),
        proxy=None,
    )
    await client.connect()
    await client.ready()
    subscription = client.new_subscription(channel, Subscription())
    await subscription.subscribe()
    await subscription.ready()
    for value in (1, 2, 3):
        await publish(client, {"n": value, "text": "ä"})
    history = None
    while history is None or history.offset < 3:
        history = await client.history(channel, limit=10)
        await asyncio.sleep(0.02)
    say("history", data=[decode(pub.data) for pub in history.publications], offset=history.offset)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await client.disconnect()


asyncio.run(main())
