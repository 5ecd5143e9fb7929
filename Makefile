# The front door. Every verb first makes the pinned Python environment when it is missing.
# ARGS passes arguments on: make prove ARGS="--format json", make up ARGS="--nodes 2"
run = @PYTHONPATH=tests python3 -m harness.bootstrap -m harness

.PHONY: help up order test check prove down clean doctor env
.DEFAULT_GOAL := help

up:     ; $(run) up $(ARGS)      ## from nothing to the running, proven estate
order:  ; $(run) order           ## places an order in the running estate and shows the calls it took
test:   ; $(run) test $(ARGS)    ## sets up the same way, on a cluster of its own, and passes all tests
check:  ; $(run) check           ## format, lint, types, import contracts, pure and engine tests
prove:  ; $(run) prove $(ARGS)   ## the probes on the running estate
down:   ; $(run) down            ## removes the clusters and what was started for them; keeps caches
clean:  ; $(run) clean $(ARGS)   ## what the cache holds; ARGS=--yes removes it and says how much was freed
doctor: ; $(run) doctor          ## what is present, missing, made from what, and how it is verified
env:    ; $(run) env             ## writes env.sh for work by hand and prints its path
help:   ; @sed -n 's/^\([a-z]*\):.*## /make \1	/p' $(MAKEFILE_LIST)  ## this list
