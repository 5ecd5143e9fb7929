// The cert-manager controller, for issuers that need nothing from outside: CA, self-signed, Vault.
//
// Upstream keeps its own main packages in modules that no module proxy serves, while the module
// that holds every controller is served. This main starts those controllers with upstream's
// defaults and understands the arguments upstream's Helm chart passes, so that the chart is used
// unmodified. ACME and Venafi are not linked in: the one needs the public internet, the client
// library of the other is not served.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/component-base/cli/flag"
	logsapi "k8s.io/component-base/logs/api/v1"

	"github.com/cert-manager/cert-manager/pkg/controller"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/vault"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/metrics"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"
	"github.com/cert-manager/cert-manager/pkg/healthz"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/vault"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	utilfeature "github.com/cert-manager/cert-manager/pkg/util/feature"
)

const (
	name           = "cert-manager-controller"
	healthAddress  = "0.0.0.0:9403"
	healthTimeout  = 20 * time.Second
	workersPerLoop = 5
)

// settings are the arguments of upstream's chart that matter here.
type settings struct {
	options        controller.ContextOptions
	metricsAddress string
	without        []string
	election       election
}

type election struct {
	enabled                                   bool
	namespace                                 string
	leaseDuration, renewDeadline, retryPeriod time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	logf.InitLogs()
	defer logf.FlushLogs()
	if err := run(ctx); err != nil && ctx.Err() == nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	given, err := parse(os.Args[1:])
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(logf.NewContext(ctx, logf.Log, "controller"))
	factory, err := controller.NewContextFactory(ctx, given.options)
	if err != nil {
		return err
	}
	shared, err := factory.Build()
	if err != nil {
		return err
	}
	health := healthz.NewServer(healthTimeout)
	if err := serve(ctx, group, given, shared, health); err != nil {
		return err
	}
	elected := func(ctx context.Context) {
		group.Go(func() error { return start(ctx, given, factory, shared) })
	}
	group.Go(func() error { return given.election.run(ctx, shared, health, elected) })
	return group.Wait()
}

// parse starts from upstream's defaults and reads the arguments of upstream's chart.
func parse(arguments []string) (*settings, error) {
	s := defaults()
	o, e := &s.options, &s.election
	var controllers []string
	var ignored string
	gates, logging := map[string]bool{}, logsapi.NewLoggingConfiguration()
	flags := pflag.NewFlagSet(name, pflag.ContinueOnError)
	flags.StringVar(&o.Kubeconfig, "kubeconfig", "", "used outside a cluster")
	flags.StringVar(&o.ClusterResourceNamespace, "cluster-resource-namespace", o.ClusterResourceNamespace, "where ClusterIssuers keep Secrets")
	flags.BoolVar(&o.EnableOwnerRef, "enable-certificate-owner-ref", o.EnableOwnerRef, "delete Secrets with their Certificate")
	flags.BoolVar(&e.enabled, "leader-elect", e.enabled, "run only while leading")
	flags.StringVar(&e.namespace, "leader-election-namespace", e.namespace, "where the lease is kept")
	flags.DurationVar(&e.leaseDuration, "leader-election-lease-duration", e.leaseDuration, "validity of the lease")
	flags.DurationVar(&e.renewDeadline, "leader-election-renew-deadline", e.renewDeadline, "how long the leader tries to renew")
	flags.DurationVar(&e.retryPeriod, "leader-election-retry-period", e.retryPeriod, "time between attempts")
	flags.StringVar(&s.metricsAddress, "metrics-listen-address", s.metricsAddress, "'0' for none")
	flags.StringSliceVar(&controllers, "controllers", nil, "'-name' leaves one out")
	flags.Var(flag.NewMapStringBool(&gates), "feature-gates", "name=true|false pairs")
	flags.StringVar(&ignored, "acme-http01-solver-image", "", "ignored: no ACME here")
	flags.StringVar(&ignored, "max-concurrent-challenges", "", "ignored: no ACME here")
	logf.AddFlags(logging, flags)
	if err := flags.Parse(arguments); err != nil {
		return nil, err
	}
	for _, entry := range controllers {
		if entry[:1] != "-" {
			return nil, fmt.Errorf("--controllers=%s: only '-name' is understood", entry)
		}
		s.without = append(s.without, entry[1:])
	}
	if err := logf.ValidateAndApply(logging); err != nil {
		return nil, err
	}
	return s, utilfeature.DefaultMutableFeatureGate.SetFromMap(gates)
}

func defaults() *settings {
	return &settings{
		options: controller.ContextOptions{
			KubernetesAPIQPS:   20,
			KubernetesAPIBurst: 50,
			IssuerOptions: controller.IssuerOptions{
				ClusterResourceNamespace:        "kube-system",
				ClusterIssuerAmbientCredentials: true,
			},
			CertificateOptions: controller.CertificateOptions{
				CopiedAnnotationPrefixes:                 []string{"*", "-kubectl.kubernetes.io/", "-fluxcd.io/", "-argocd.argoproj.io/"},
				CertificateRequestMinimumBackoffDuration: time.Hour,
				CertificateRequestMaximumBackoffDuration: 32 * time.Hour,
			},
		},
		metricsAddress: "0.0.0.0:9402",
		election: election{
			enabled: true, namespace: "kube-system",
			leaseDuration: 60 * time.Second, renewDeadline: 40 * time.Second, retryPeriod: 15 * time.Second,
		},
	}
}

// serve answers liveness probes and, unless switched off, metrics.
func serve(ctx context.Context, group *errgroup.Group, s *settings, shared *controller.Context, health *healthz.Server) error {
	listener, err := net.Listen("tcp", healthAddress)
	if err != nil {
		return err
	}
	group.Go(func() error { return health.Start(ctx, listener) })
	if s.metricsAddress == "0" {
		return nil
	}
	// a name of its own: the goroutine above may read `listener` later than here
	metrics, err := net.Listen("tcp", s.metricsAddress)
	if err != nil {
		return err
	}
	server := shared.Metrics.NewServer(metrics)
	group.Go(func() error { return server.Serve(metrics) })
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return nil
}

// run calls elected once this process leads, and fails when it no longer does.
func (e election) run(ctx context.Context, shared *controller.Context, health *healthz.Server, elected func(context.Context)) error {
	if !e.enabled {
		elected(ctx)
		return nil
	}
	identity, err := os.Hostname()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(shared.RESTConfig)
	if err != nil {
		return err
	}
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, e.namespace, name,
		client.CoreV1(), client.CoordinationV1(), resourcelock.ResourceLockConfig{Identity: identity})
	if err != nil {
		return err
	}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: e.leaseDuration, RenewDeadline: e.renewDeadline, RetryPeriod: e.retryPeriod,
		ReleaseOnCancel: true, Name: name, WatchDog: health.LeaderHealthzAdaptor,
		Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: elected, OnStoppedLeading: func() {}},
	})
	if err != nil {
		return err
	}
	elector.Run(ctx)
	return fmt.Errorf("no longer the leader")
}

// start runs the controllers that were linked in until the context ends.
func start(ctx context.Context, s *settings, factory *controller.ContextFactory, shared *controller.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for title, construct := range controller.Known() {
		if slices.Contains(s.without, title) {
			continue
		}
		loop, err := construct(factory)
		if err != nil {
			return fmt.Errorf("controller %s: %w", title, err)
		}
		group.Go(func() error { return loop.Run(workersPerLoop, ctx) })
	}
	shared.SharedInformerFactory.Start(ctx.Done())
	shared.KubeSharedInformerFactory.Start(ctx.Done())
	shared.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	return group.Wait()
}
