// The engine's Node.js language host, for programs in TypeScript.
//
// Upstream's main package is a module of its own, which module proxies do not serve; what it is made of is: the
// generator of SDKs is upstream's, and so is the runner of programs, which lies in @pulumi/pulumi beside the program.
// Ours is how the engine reaches the two. It serves no inline plugins, no conversion and no debugger.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/pulumi/pulumi/pkg/v3/codegen/nodejs"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

const (
	runner = "node_modules/@pulumi/pulumi/cmd/run/index.js"
	told   = 32 // the runner's exit code for an error that it has told the user of
)

var version string // upstream's, given at the build

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, os.Args[len(os.Args)-1]); err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-language-nodejs:", err)
		os.Exit(1)
	}
}

// serve answers until the engine ends it; the engine reads the port from the first line.
func serve(ctx context.Context, engine string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(400 << 20)) // as large as the engine's own
	pulumirpc.RegisterLanguageRuntimeServer(server, &host{engine: engine})
	go func() {
		<-ctx.Done()
		server.Stop()
	}()
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	return server.Serve(listener)
}

type host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer
	engine string
}

// GetPluginInfo says which release this is of.
func (h *host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: version}, nil
}

// Run runs a program with the runner that is installed beside it.
func (h *host) Run(ctx context.Context, asked *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	info := asked.GetInfo()
	found, err := above(info.GetProgramDirectory(), runner)
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(asked.GetConfig())
	if err != nil {
		return nil, err
	}
	secret, err := json.Marshal(asked.GetConfigSecretKeys())
	if err != nil {
		return nil, err
	}
	words := []string{
		found,
		"--monitor=" + asked.GetMonitorAddress(), "--engine=" + h.engine,
		"--organization=" + asked.GetOrganization(), "--project=" + asked.GetProject(), "--stack=" + asked.GetStack(),
		"--root-directory=" + info.GetRootDirectory(), "--pwd=" + asked.GetPwd(),
		"--parallel=" + strconv.Itoa(int(asked.GetParallel())), "--dry-run=" + strconv.FormatBool(asked.GetDryRun()),
		filepath.Join(info.GetProgramDirectory(), info.GetEntryPoint()),
	}
	program := exec.CommandContext(ctx, "node", append(words, asked.GetArgs()...)...)
	program.Dir = asked.GetPwd()
	program.Env = append(
		os.Environ(), "PULUMI_NODEJS_TYPESCRIPT=true",
		"PULUMI_CONFIG="+string(config), "PULUMI_CONFIG_SECRET_KEYS="+string(secret),
	)
	program.Stdout, program.Stderr = os.Stdout, os.Stderr
	return judged(program.Run())
}

func judged(err error) (*pulumirpc.RunResponse, error) {
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended) && ended.ExitCode() == told:
		return &pulumirpc.RunResponse{Bail: true}, nil
	case errors.As(err, &ended):
		return &pulumirpc.RunResponse{Error: "the program ended with " + ended.String()}, nil
	}
	return &pulumirpc.RunResponse{}, err
}

// above finds a file in a folder or in one above it, as Node.js looks for modules.
func above(folder, name string) (string, error) {
	for at := folder; ; at = filepath.Dir(at) {
		if found := filepath.Join(at, name); exists(found) {
			return found, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s: no %s here or above: npm install @pulumi/pulumi", folder, name)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// GeneratePackage writes the SDK of a schema.
func (h *host) GeneratePackage(
	_ context.Context, asked *pulumirpc.GeneratePackageRequest,
) (*pulumirpc.GeneratePackageResponse, error) {
	var spec schema.PackageSpec
	if err := json.Unmarshal([]byte(asked.GetSchema()), &spec); err != nil {
		return nil, err
	}
	loader, err := schema.NewLoaderClient(asked.GetLoaderTarget())
	if err != nil {
		return nil, err
	}
	pkg, found, err := schema.BindSpec(spec, loader, schema.ValidationOptions{})
	if err != nil {
		return nil, err
	}
	if found.HasErrors() {
		return nil, found
	}
	files, err := nodejs.GeneratePackage(
		"pulumi-language-nodejs", pkg, asked.GetExtraFiles(), asked.GetLocalDependencies(), asked.GetLocal(),
		schema.NewCachedLoader(loader),
	)
	if err != nil {
		return nil, err
	}
	return &pulumirpc.GeneratePackageResponse{}, written(asked.GetDirectory(), files)
}

func written(folder string, files map[string][]byte) error {
	for name, content := range files {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Link makes SDKs dependencies of a program, by the names that they have themselves.
func (h *host) Link(ctx context.Context, asked *pulumirpc.LinkRequest) (*pulumirpc.LinkResponse, error) {
	folder := asked.GetInfo().GetProgramDirectory()
	var lines []string
	for _, one := range asked.GetPackages() {
		text, err := os.ReadFile(filepath.Join(folder, one.GetPath(), "package.json"))
		if err != nil {
			return nil, err
		}
		var said struct{ Name string }
		if err := json.Unmarshal(text, &said); err != nil {
			return nil, err
		}
		npm := command(ctx, folder, "pkg", "set", "dependencies."+said.Name+"=file:"+one.GetPath())
		if out, err := npm.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("npm pkg set: %w: %s", err, out)
		}
		lines = append(lines, fmt.Sprintf("import * as %s from %q;", one.GetPackage().GetName(), said.Name))
	}
	return &pulumirpc.LinkResponse{ImportInstructions: strings.Join(lines, "\n")}, nil
}

// InstallDependencies installs what package.json names.
func (h *host) InstallDependencies(
	asked *pulumirpc.InstallDependenciesRequest, out pulumirpc.LanguageRuntime_InstallDependenciesServer,
) error {
	npm := command(out.Context(), asked.GetInfo().GetProgramDirectory(), "install", "--loglevel=error")
	said, err := npm.CombinedOutput()
	if sent := out.Send(&pulumirpc.InstallDependenciesResponse{Stdout: said}); sent != nil {
		return sent
	}
	if err != nil {
		return fmt.Errorf("npm install: %w", err)
	}
	return nil
}

func command(ctx context.Context, folder string, words ...string) *exec.Cmd {
	npm := exec.CommandContext(ctx, "npm", words...)
	npm.Dir = folder
	return npm
}
