"""What any gRPC tool expects beside the cache itself: health, reflection,
compression, size limits, and a clear answer to what is not there."""

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

import cache_pb2 as pb
from wire import TIMEOUT_S, refused, request_id_of

SERVICES = ["", "cache.CacheService", "tinycache.v1.Cache"]

# Both versions of reflection have the same messages; only the service's name
# differs. The Python package ships the older one, so its messages drive both.
REFLECTION = ["grpc.reflection.v1", "grpc.reflection.v1alpha"]

UNKNOWN_METHODS = [
    "/cache.CacheService/Increment",
    "/cache.CacheService/get",
    "/cache.OtherService/Get",
    "/CacheService/Get",
]


# Health


@pytest.fixture
def health(client):
    return health_pb2_grpc.HealthStub(client.channel)


@pytest.mark.parametrize("service", SERVICES)
def test_health_check_says_serving(health, service):
    reply = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=TIMEOUT_S)
    assert reply.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("service", SERVICES)
def test_health_watch_says_serving_at_once(health, service):
    watch = health.Watch(health_pb2.HealthCheckRequest(service=service), timeout=TIMEOUT_S)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()


@pytest.mark.parametrize("service", ["cache", "cache.Cacheservice", "nobody"])
def test_the_health_of_an_unknown_service_is_not_found(health, service):
    with refused(grpc.StatusCode.NOT_FOUND):
        health.Check(health_pb2.HealthCheckRequest(service=service), timeout=TIMEOUT_S)


def test_watching_an_unknown_service_never_says_serving(health):
    """The health protocol lets a server end the watch, or keep it open for a
    service that may yet come."""
    watch = health.Watch(health_pb2.HealthCheckRequest(service="nobody"), timeout=TIMEOUT_S)
    try:
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        watch.cancel()
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.NOT_FOUND


def test_health_list_names_every_service(health):
    """List was UNIMPLEMENTED."""
    reply = health.List(health_pb2.HealthListRequest(), timeout=TIMEOUT_S)
    statuses = {name: status.status for name, status in reply.statuses.items()}
    assert statuses == dict.fromkeys(SERVICES, health_pb2.HealthCheckResponse.SERVING)


# Reflection


def reflect(client, package, **question):
    [answer] = reflect_all(client, package, question)
    return answer


def reflect_all(client, package, *questions):
    """Asks all questions on one stream."""
    call = client.channel.stream_stream(
        f"/{package}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    requests = [reflection_pb2.ServerReflectionRequest(**question) for question in questions]
    return list(call(iter(requests), timeout=TIMEOUT_S))


@pytest.mark.parametrize("package", REFLECTION)
def test_reflection_lists_the_services(client, package):
    answer = reflect(client, package, list_services="")
    names = {service.name for service in answer.list_services_response.service}
    assert {"cache.CacheService", "grpc.health.v1.Health"} <= names


@pytest.mark.parametrize("symbol", ["cache.CacheService", "cache.CacheService.Get", "cache.CacheStats", "cache.OK"])
@pytest.mark.parametrize("package", REFLECTION)
def test_reflection_finds_the_file_of_a_symbol(client, package, symbol):
    _expect_cache_proto(reflect(client, package, file_containing_symbol=symbol))


@pytest.mark.parametrize("package", REFLECTION)
def test_reflection_finds_the_file_by_its_name(client, package):
    _expect_cache_proto(reflect(client, package, file_by_filename="cache.proto"))


@pytest.mark.parametrize("package", REFLECTION)
def test_reflection_says_when_a_symbol_is_unknown_and_answers_the_next_question(client, package):
    """The stream ended there, and the next good question was lost. The full
    name of an enum's value is beside the enum, not below it."""
    unknown = ["cache.Nobody", "cache.CacheStatus.OK", "cache"]
    questions = [{"file_containing_symbol": symbol} for symbol in [*unknown, "cache.CacheStats"]]
    *refused, found = reflect_all(client, package, *questions)
    assert [answer.error_response.error_code for answer in refused] == [grpc.StatusCode.NOT_FOUND.value[0]] * 3
    assert [answer.original_request.file_containing_symbol for answer in refused] == unknown
    _expect_cache_proto(found)


def test_a_descriptor_pool_is_filled_by_reflection(client):
    """As grpcurl and other tools do, with gRPC's own reflection client."""
    database = ProtoReflectionDescriptorDatabase(client.channel)
    pool = descriptor_pool.DescriptorPool(database)
    assert set(database.get_services()) >= {"cache.CacheService", "grpc.health.v1.Health"}
    assert pool.FindMethodByName("cache.CacheService.MultiGet").input_type.name == "MultiCacheKeyRequest"
    assert pool.FindFieldByName("cache.CacheStats.hit_rate").number == 5
    with pytest.raises(KeyError):
        pool.FindMessageTypeByName("cache.Nobody")


def test_the_health_protocol_is_the_published_one(client):
    answer = reflect(client, REFLECTION[0], file_containing_symbol="grpc.health.v1.Health")
    _expect(answer, "grpc/health/v1/health.proto", health_pb2.DESCRIPTOR)


def _expect_cache_proto(answer):
    _expect(answer, "cache.proto", pb.DESCRIPTOR)


def _expect(answer, name, descriptor):
    files = map(
        descriptor_pb2.FileDescriptorProto.FromString,
        answer.file_descriptor_response.file_descriptor_proto,
    )
    [served] = [file for file in files if file.name == name]
    ours = descriptor_pb2.FileDescriptorProto()
    descriptor.CopyToProto(ours)
    assert _shape(served) == _shape(ours)


def _shape(file):
    """What a client depends on: every method, message, field and enum value."""
    return (
        file.package,
        [(s.name, [(m.name, m.input_type, m.output_type) for m in s.method]) for s in file.service],
        [(m.name, [(f.number, f.name, f.type, f.label, f.type_name) for f in m.field]) for m in file.message_type],
        [(e.name, [(v.number, v.name) for v in e.value]) for e in file.enum_type],
    )


# Methods that are not there


@pytest.mark.parametrize("method", UNKNOWN_METHODS)
def test_an_unknown_method_is_unimplemented(client, method):
    call = client.channel.unary_unary(method)
    with refused(grpc.StatusCode.UNIMPLEMENTED) as refusal:
        call(b"", timeout=TIMEOUT_S, metadata=[("x-request-id", "lost-1")])
    assert request_id_of(refusal.call) == "lost-1"


@pytest.mark.parametrize("body", [b"\x0a\xff", b"\x0a\x02\xff\xff"], ids=["cut short", "not utf-8"])
def test_a_message_that_cannot_be_read_is_an_error_and_the_connection_stays(client, key, body):
    call = client.channel.unary_unary("/cache.CacheService/Get")
    with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
        call(body, timeout=TIMEOUT_S)
    assert "decode" in refusal.message
    assert client.get(key) is None


# Compression


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate], ids=["gzip", "deflate"])
def test_a_client_may_compress(server, connect, key, compression):
    client = connect(server.grpc, compression=compression)
    value = b"compress me " * 4_000
    client.set(key, value)
    assert client.get(key) == value


# Message sizes


@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip], ids=["plain", "gzip"])
def test_a_message_over_the_limit_is_resource_exhausted(server, connect, key, compression):
    client = connect(server.grpc, compression=compression)
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED):
        client.set(key, b"x" * (32 * 1024 * 1024))
    client.set(key, b"and the client goes on")


def test_a_key_over_the_message_limit_is_resource_exhausted(client):
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED):
        client.get("k" * (32 * 1024 * 1024))


def test_message_limits_follow_the_largest_value(start, connect):
    largest = 9 * 1024 * 1024
    server = start(CACHE_MAX_VALUE_BYTES=str(largest))
    client = connect(server.grpc)
    value = b"x" * largest
    assert client.set("k" * 256, value) == pb.OK
    assert client.get("k" * 256) == value
    [item] = client.MultiGet(pb.MultiCacheKeyRequest(keys=["k" * 256])).items
    assert item.value == value
    assert client.compare_and_set("k" * 256, value, b"small") == pb.STORED
