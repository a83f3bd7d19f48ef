# An installation to copy. The providers take the cluster from the environment: KUBE_CONFIG_PATH=~/.kube/config.
terraform {
  required_version = ">= 1.7"
  required_providers {
    helm = {
      source  = "hashicorp/helm"
      version = ">= 1.3.2"
    }
    kubectl = {
      source  = "gavinbunney/kubectl"
      version = ">= 1.19.0"
    }
  }
}

provider "helm" {}

provider "kubectl" {}

module "emr" {
  source = "../../modules/emr"

  chart            = "${path.root}/../../../helm/emr"
  hospitals_folder = "${path.root}/../../../tenants"
  base_url         = "https://emr.example"
  storage_endpoint = "minio.storage:9000"
  issuer           = "https://id.example/realms/emr"
  image            = { repository = "images.example/emr", tag = "0.1.0" }

  values = {
    ingress = { enabled = true, className = "nginx", tlsSecret = "emr-tls" }
    dicom   = { service = { type = "LoadBalancer", port = 11112 } }
  }
}

output "hospitals" {
  value = module.emr.hospitals
}
