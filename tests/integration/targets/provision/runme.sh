#!/usr/bin/env bash
# Run the playbook of this target against a simulator, which is stopped at the end.
set -eux

folder=$(mktemp -d)
# This script runs from a copy, so the simulator is found through the path of the collection.
collection="${ANSIBLE_COLLECTIONS_PATH%%:*}/ansible_collections/meshfleet/particle"
PYTHONPATH="${collection}/simulator" "${ANSIBLE_TEST_PYTHON_INTERPRETER}" -m particle_simulator --port-file "${folder}/port" --fleet 6 &
simulator=$!
trap 'kill "${simulator}"; rm -rf "${folder}"' EXIT

until [[ -s "${folder}/port" ]]; do
    kill -0 "${simulator}"
    sleep 0.1
done

PARTICLE_API_URL="http://127.0.0.1:$(<"${folder}/port")"
export PARTICLE_API_URL PARTICLE_USERNAME=demo@example.com PARTICLE_PASSWORD=demo-password
ansible-playbook provision.yml "$@"
