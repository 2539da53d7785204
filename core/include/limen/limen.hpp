// The whole public interface of the engine. Plugins include limen/activation.hpp or limen/plugin.h
// instead, and nothing else.
#pragma once

#include <limen/checkpoint.hpp>
#include <limen/dataset.hpp>
#include <limen/differentiate.hpp>
#include <limen/error.hpp>
#include <limen/executable.hpp>
#include <limen/gradient_check.hpp>
#include <limen/graph.hpp>
#include <limen/model.hpp>
#include <limen/ops.hpp>
#include <limen/optimizer.hpp>
#include <limen/passes.hpp>
#include <limen/plugin_registry.hpp>
#include <limen/tensor.hpp>
#include <limen/train.hpp>
