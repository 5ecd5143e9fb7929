// The cert-manager CA injector: writes CA bundles into webhook configurations, CRDs and API
// services.
//
// As for the controller, upstream's main package is not served by module proxies; its reconcilers
// are. This main runs them under one controller-runtime manager.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	extensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kubernetes "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/component-base/cli/flag"
	registration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metrics "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	config "github.com/cert-manager/cert-manager/internal/apis/config/cainjector"
	"github.com/cert-manager/cert-manager/internal/apis/config/cainjector/scheme"
	"github.com/cert-manager/cert-manager/pkg/apis/config/cainjector/v1alpha1"
	certmanager "github.com/cert-manager/cert-manager/pkg/client/clientset/versioned/scheme"
	"github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"
	utilfeature "github.com/cert-manager/cert-manager/pkg/util/feature"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	logf.InitLogs()
	defer logf.FlushLogs()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "cert-manager-cainjector:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	settings, err := parse(os.Args[1:])
	if err != nil {
		return err
	}
	ctrl.SetLogger(logf.Log.WithName("cainjector"))
	manager, err := newManager(settings)
	if err != nil {
		return err
	}
	err = cainjector.RegisterAllInjectors(ctx, manager, cainjector.SetupOptions{
		Namespace:                    settings.Namespace,
		IgnoreNamespaces:             settings.IgnoreNamespaces,
		EnableCertificatesDataSource: settings.EnableDataSourceConfig.Certificates,
		EnabledReconcilersFor: map[string]bool{
			cainjector.MutatingWebhookConfigurationName:   settings.EnableInjectableConfig.MutatingWebhookConfigurations,
			cainjector.ValidatingWebhookConfigurationName: settings.EnableInjectableConfig.ValidatingWebhookConfigurations,
			cainjector.APIServiceName:                     settings.EnableInjectableConfig.APIServices,
			cainjector.CustomResourceDefinitionName:       settings.EnableInjectableConfig.CustomResourceDefinitions,
		},
	})
	if err != nil {
		return err
	}
	return manager.Start(ctx)
}

// parse starts from upstream's defaults and reads the arguments of upstream's chart.
func parse(arguments []string) (*config.CAInjectorConfiguration, error) {
	known, _, err := scheme.NewSchemeAndCodecs()
	if err != nil {
		return nil, err
	}
	versioned, c := &v1alpha1.CAInjectorConfiguration{}, &config.CAInjectorConfiguration{}
	known.Default(versioned)
	if err := known.Convert(versioned, c, nil); err != nil {
		return nil, err
	}
	flags := pflag.NewFlagSet("cert-manager-cainjector", pflag.ContinueOnError)
	leader := &c.LeaderElectionConfig
	flags.StringVar(&c.Namespace, "namespace", c.Namespace, "watch this namespace only")
	flags.BoolVar(&leader.Enabled, "leader-elect", leader.Enabled, "run only while leading")
	flags.StringVar(&leader.Namespace, "leader-election-namespace", leader.Namespace, "where the lease is kept")
	flags.DurationVar(&leader.LeaseDuration, "leader-election-lease-duration", leader.LeaseDuration, "validity of the lease")
	flags.DurationVar(&leader.RenewDeadline, "leader-election-renew-deadline", leader.RenewDeadline, "how long the leader tries to renew")
	flags.DurationVar(&leader.RetryPeriod, "leader-election-retry-period", leader.RetryPeriod, "time between attempts")
	flags.StringVar(&c.MetricsListenAddress, "metrics-listen-address", c.MetricsListenAddress, "'0' for none")
	flags.Var(flag.NewMapStringBool(&c.FeatureGates), "feature-gates", "name=true|false pairs")
	logf.AddFlags(&c.Logging, flags)
	if err := flags.Parse(arguments); err != nil {
		return nil, err
	}
	if err := logf.ValidateAndApply(&c.Logging); err != nil {
		return nil, err
	}
	return c, utilfeature.DefaultMutableFeatureGate.SetFromMap(c.FeatureGates)
}

func newManager(c *config.CAInjectorConfiguration) (ctrl.Manager, error) {
	types := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{kubernetes.AddToScheme, certmanager.AddToScheme, extensions.AddToScheme, registration.AddToScheme} {
		if err := add(types); err != nil {
			return nil, err
		}
	}
	connection, err := ctrl.GetConfig()
	if err != nil {
		return nil, err
	}
	leader := c.LeaderElectionConfig
	return ctrl.NewManager(util.RestConfigWithUserAgent(connection, "cainjector"), ctrl.Options{
		Scheme: types,
		// Secrets are read one by one when needed: caching them would hold every Secret of the
		// cluster in memory.
		Client:                        client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		LeaderElection:                leader.Enabled,
		LeaderElectionNamespace:       leader.Namespace,
		LeaderElectionID:              "cert-manager-cainjector-leader-election",
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &leader.LeaseDuration,
		RenewDeadline:                 &leader.RenewDeadline,
		RetryPeriod:                   &leader.RetryPeriod,
		Metrics:                       metrics.Options{BindAddress: c.MetricsListenAddress},
	})
}
