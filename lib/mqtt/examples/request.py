"""Asks and answers (MQTT 5.0, section 4.10): the question says where the answer is to go.

    micropython request.py 127.0.0.1 1883
"""

import asyncio
import sys

from mqtt.client import Client


async def answer(client):
    async for question in client.messages("service/add"):
        numbers = [int(number) for number in question.payload.split()]
        about = {"correlation_data": question.properties["correlation_data"]}
        where = question.properties["response_topic"]
        await client.publish(where, str(sum(numbers)), qos=1, properties=about)


async def main(host, port):
    async with Client(host, port, "example-service", "5") as service, Client(
        host, port, "example-asker", "5"
    ) as asker:
        await service.subscribe("service/add", qos=1)
        serving = asyncio.create_task(answer(service))
        await asker.subscribe("answers/asker", qos=1)
        answers = asker.messages("answers/asker")
        about = {"response_topic": "answers/asker", "correlation_data": b"question 1"}
        await asker.publish("service/add", "3 4", qos=1, properties=about)
        async for message in answers:
            print(message.properties["correlation_data"].decode(), "->", message.payload.decode())
            break
        serving.cancel()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
