"""Online Boutique as it is shipped: images of microservices-demo 0.10.6, unchanged, told where their callees are."""

from typing import Any

from garrison import App, Resources, Service, images

lock = images("images.lock", "online-boutique")
boutique = App("online-boutique", trust_domain="boutique.example", images=lock)
shop = boutique.namespace("shop")
large = Resources(cpu="100m", memory="256Mi", cpu_limit="500m", memory_limit="512Mi")
quiet = {"DISABLE_PROFILER": "1"}
# Without it the frontend ends itself, and in the manifests it names a service that is not there.
nobody = {"SHOPPING_ASSISTANT_SERVICE_ADDR": "127.0.0.1:9"}


def grpc(name: str, port: int, **more: Any) -> Service:
    """These listen on [::] whatever they are told, and answer grpc.health.v1."""
    return shop.service(name, image=lock[name], port=port, protocol="grpc", bind="all", **more)


ads = grpc("adservice", 9555, resources=large)
cart = grpc("cartservice", 7070)
checkout = grpc("checkoutservice", 5050)
currency = grpc("currencyservice", 7000, env=quiet)
email = grpc("emailservice", 8080, env=quiet)
payment = grpc("paymentservice", 50051, env=quiet)
products = grpc("productcatalogservice", 3550, env=quiet)
recommendation = grpc("recommendationservice", 8080, env=quiet, resources=large)
shipping = grpc("shippingservice", 50051, env=quiet)
told = {"ENABLE_PROFILER": "0", "LISTEN_ADDR": "127.0.0.1", **nobody}
frontend = shop.service("frontend", image=lock["frontend"], port=8080, health="/_healthz", env=told)
alone = {"args": ("--bind", "127.0.0.1"), "scratch": {"/data": "256Mi"}, "replicas": 1}
redis = shop.service("redis-cart", image=lock["redis"], port=6379, protocol="tcp", **alone)
busy = {"USERS": "10", "RATE": "1"}
load = shop.service("loadgenerator", image=lock["loadgenerator"], replicas=1, env=busy, resources=large)

for caller, callee, variable, service, methods in (
    (frontend, ads, "AD_SERVICE_ADDR", "AdService", "GetAds"),
    (frontend, cart, "CART_SERVICE_ADDR", "CartService", "AddItem EmptyCart GetCart"),
    (frontend, checkout, "CHECKOUT_SERVICE_ADDR", "CheckoutService", "PlaceOrder"),
    (frontend, currency, "CURRENCY_SERVICE_ADDR", "CurrencyService", "Convert GetSupportedCurrencies"),
    (frontend, products, "PRODUCT_CATALOG_SERVICE_ADDR", "ProductCatalogService", "GetProduct ListProducts"),
    (frontend, recommendation, "RECOMMENDATION_SERVICE_ADDR", "RecommendationService", "ListRecommendations"),
    (frontend, shipping, "SHIPPING_SERVICE_ADDR", "ShippingService", "GetQuote"),
    (recommendation, products, "PRODUCT_CATALOG_SERVICE_ADDR", "ProductCatalogService", "ListProducts"),
    (checkout, cart, "CART_SERVICE_ADDR", "CartService", "EmptyCart GetCart"),
    (checkout, currency, "CURRENCY_SERVICE_ADDR", "CurrencyService", "Convert"),
    (checkout, email, "EMAIL_SERVICE_ADDR", "EmailService", "SendOrderConfirmation"),
    (checkout, payment, "PAYMENT_SERVICE_ADDR", "PaymentService", "Charge"),
    (checkout, products, "PRODUCT_CATALOG_SERVICE_ADDR", "ProductCatalogService", "GetProduct"),
    (checkout, shipping, "SHIPPING_SERVICE_ADDR", "ShippingService", "GetQuote ShipOrder"),
):
    caller.calls(callee, *(f"hipstershop.{service}/{method}" for method in methods.split()), env=variable)
cart.connects(redis, env="REDIS_ADDR")
site = ("GET /", "GET /cart", "GET /product/{id}", "POST /cart", "POST /cart/checkout", "POST /setCurrency")
load.calls(frontend, *site, env="FRONTEND_ADDR")
door = boutique.host("shop.boutique.example")
for operation in (*site, "POST /cart/empty", "GET /logout", "GET /product-meta/{ids}", "GET /static/{rest...}"):
    frontend.serves(operation, at=door, public="a shop for everybody, which knows them by a cookie of its own")
