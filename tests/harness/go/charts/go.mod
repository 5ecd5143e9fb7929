module garrison.dev/toolchain/charts

go 1.26.8

require (
	github.com/cert-manager/cert-manager v1.21.2
	github.com/cert-manager/trust-manager v0.25.0
)
