"""Spring Petclinic Cloud as it is shipped, with the three MySQL of its chart and the Wavefront proxy.

Upstream's services read their configuration, and every Secret of the namespace, from the Kubernetes API. Here it is a
file, the addresses in it are told by the calls, and nobody needs the API.
"""

from garrison import App, Resources, Service, images

lock = images("images.lock", "petclinic")
petclinic = App("petclinic", trust_domain="petclinic.example", images=lock)
clinic = petclinic.namespace("spring-petclinic")

CONFIGURATION = """
server.shutdown: graceful
management:
  endpoint.health.probes.enabled: true
  endpoints.web.exposure.include: health
spring:
  datasource:
    platform: mysql
    schema: classpath*:db/mysql/schema.sql
    data: classpath*:db/mysql/data.sql
    initialization-mode: always
  jpa.hibernate.ddl-auto: none
"""
# As upstream routes. Spring fills `${...}` from the variables of the calls.
ROUTE = """
      - id: {name}
        uri: ${{{variable}}}
        predicates: ["Path=/api/{short}/**"]
        filters: ["StripPrefix=2"]"""
ADDRESSES = """
customers-service-id: ${CUSTOMERS_SERVICE_URL}
visits-service-id: ${VISITS_SERVICE_URL}
"""

size = Resources(cpu="200m", memory="512Mi", cpu_limit="2", memory_limit="1Gi")


def spring(name: str, configuration: str, **env: str) -> Service:
    made = clinic.service(
        name,
        image=lock[name],
        port=8080,
        health="/actuator/health/readiness",
        liveness="/actuator/health/liveness",
        startup_seconds=300,
        env={
            "SPRING_PROFILES_ACTIVE": "kubernetes",
            "SPRING_CLOUD_KUBERNETES_ENABLED": "false",
            "SPRING_CONFIG_ADDITIONAL_LOCATION": "/config/",
            "SERVER_ADDRESS": "127.0.0.1",
            **env,
        },
        files={"/config/application.yaml": configuration},
        scratch=("/tmp",),
        resources=size,
    )
    made.connects(wavefront, env={"MANAGEMENT_METRICS_EXPORT_WAVEFRONT_URI": "proxy://{host}:{port}"})
    return made


def kept(name: str, operations: tuple[str, ...]) -> Service:
    """A service, with the database that its chart installs beside it."""
    made = spring(f"{name}-service", CONFIGURATION, SPRING_DATASOURCE_USERNAME="root")
    path = f"petclinic/{name}-db"
    database = clinic.service(
        f"{name}-db-mysql",
        image=lock["mysql"],
        port=3306,
        protocol="tcp",
        uid=1001,
        startup_seconds=300,
        env={
            "MYSQL_DATABASE": "service_instance_db",
            "MYSQL_USER": "admin",
            "MYSQL_EXTRA_FLAGS": "--bind-address=127.0.0.1",
        },
        scratch={f"/opt/bitnami/mysql/{folder}": "64Mi" for folder in ("conf", "tmp", "logs")} | {"/tmp": "64Mi"},
        volumes={"/bitnami/mysql": "8Gi"},
        resources=Resources(cpu="100m", memory="256Mi", cpu_limit="1", memory_limit="768Mi"),
    )
    database.reads(f"{path}/root", env={"MYSQL_ROOT_PASSWORD_FILE": "{path}"})
    database.reads(f"{path}/admin", env={"MYSQL_PASSWORD_FILE": "{path}"})
    tracing = "queryInterceptors=brave.mysql8.TracingQueryInterceptor"
    tracing += f"&exceptionInterceptors=brave.mysql8.TracingExceptionInterceptor&zipkinServiceName={name}-db"
    url = "jdbc:mysql://{host}:{port}/service_instance_db?" + tracing
    made.connects(database, env={"SPRING_DATASOURCE_URL": url})
    # As upstream has it: its schema.sql makes the database and gives rights, which takes root.
    made.reads(f"{path}/root", env={"SPRING_DATASOURCE_PASSWORD": "{value}"})
    gateway.calls(made, *operations)
    return made


# Upstream's second port, for traces in Zipkin's form, is opened for nobody: no service is told of it.
wavefront = clinic.service(
    "wavefront-proxy",
    image=lock["wavefront-proxy"],
    port=2878,
    protocol="tcp",
    bind="all",
    env={"WAVEFRONT_PROXY_ARGS": "--traceZipkinListenerPorts 9411 --traceZipkinApplicationName spring-petclinic-k8s"},
    scratch=("/tmp", "/var/spool/wavefront-proxy", "/var/log/wavefront"),
    resources=size,
)
wavefront.reads("petclinic/wavefront", env={"WAVEFRONT_TOKEN": "{value}"})
# The proxy speaks TLS with Wavefront itself.
outside = petclinic.external("wavefront.surf")
wavefront.connects(outside, env={"WAVEFRONT_URL": "https://{host}/api/"}, alias="wavefront.surf:443")

ROUTES = {"vets-service": "vet", "visits-service": "visit", "customers-service": "customer"}
routes = "".join(
    ROUTE.format(name=name, short=short, variable=name.upper().replace("-", "_") + "_URL")
    for name, short in ROUTES.items()
)
gateway = spring("api-gateway", f"{CONFIGURATION}  cloud:\n    gateway:\n      routes:{routes}\n{ADDRESSES}")
VETS = ("GET /vets",)
VISITS = ("GET /pets/visits",)
OWNERS = ("GET /owners", "POST /owners", "GET /owners/{owner}", "PUT /owners/{owner}", "GET /petTypes")
PETS = ("POST /owners/{owner}/pets", "GET /owners/{owner}/pets/{pet}", "PUT /owners/{owner}/pets/{pet}")
OF_A_PET = ("GET /owners/{owner}/pets/{pet}/visits", "POST /owners/{owner}/pets/{pet}/visits")
kept("vets", VETS)
kept("visits", VISITS + OF_A_PET)
kept("customers", OWNERS + PETS)


def below(short: str, operations: tuple[str, ...]) -> list[str]:
    """What the gateway passes on, as it is asked."""
    return [operation.replace(" /", f" /api/{short}/", 1) for operation in operations]


door = petclinic.host("www.petclinic.example")
for operation in (
    *(
        "GET /",
        "GET /{page}",
        "GET /css/{rest...}",
        "GET /scripts/{rest...}",
        "GET /images/{file}",
        "GET /fonts/{file}",
    ),
    *("GET /webjars/{rest...}", "GET /api/gateway/owners/{owner}"),
    *(*below("vet", VETS), *below("visit", OF_A_PET), *below("customer", OWNERS + PETS)),
):
    gateway.serves(operation, at=door, public="upstream has no login, and neither has this: a demonstration")
